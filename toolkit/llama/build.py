"""Build of llama.cpp's libraries and tools, once, from the source in the Python bindings' distribution.

``python -m edgekit.llama``, for users and CI alike: pip fetches the pinned source distribution, CMake and Ninja build
it at a fixed path, so that with ccache (if it is installed) a second build takes
seconds. A finished build is recognised and kept. It makes the shared libraries, and llama-bench,
llama-quantize, llama-imatrix and llama-perplexity, with which tests compare edgekit's results.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import write_whole
from edgekit.errors import EdgekitError, FetchFailed, MissingExtra, run_command
from edgekit.llama import library

_TARGETS = ("llama", "llama-bench", "llama-quantize", "llama-imatrix", "llama-perplexity")
_APT = "apt-get install cmake ninja-build g++ ccache"
_CROSS_COMPILERS = ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog=library.BUILD, description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument(
        "--source-only", action="store_true", help="fetch the source only, for conversions; needs no compiler"
    )
    options = parser.parse_args(arguments)
    return run_command(lambda: [source() if options.source_only else build()])


def source() -> Path:
    """The unpacked source distribution, fetched if it is missing.

    Raises:
        FetchFailed: pip could not download it, or it is not the pinned file.
    """
    place = library.folder()
    marker, unpacked = place / "source.json", place / "source"
    if marker.is_file() and json.loads(marker.read_bytes()) == {"sdist": library.SDIST}:
        return unpacked
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        print(f"fetching llama-cpp-python {library.VERSION} (77 MB)", file=sys.stderr)
        archive = _download(place / "download")
        shutil.rmtree(unpacked, ignore_errors=True)
        fresh = place / "unpacking"
        shutil.rmtree(fresh, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(fresh, filter="data")
        next(fresh.iterdir()).replace(unpacked)
        shutil.rmtree(fresh)
        shutil.rmtree(archive.parent)
        write_whole(marker, json.dumps({"sdist": library.SDIST}).encode())
    return unpacked


def build() -> Path:
    """The folder with the libraries and tools, built if it is missing.

    Raises:
        MissingExtra: there is no compiler, CMake or Ninja. FetchFailed: see `source`. EdgekitError: it does not
        compile.
    """
    place = library.folder()
    if library.is_built():
        return place / "build" / "bin"
    _need("c++")
    unpacked = source()
    with _alone(place):
        if not library.is_built():  # after waiting for the lock: another process may have built it
            (place / "built.json").unlink(missing_ok=True)
            compile_library(unpacked / "vendor" / "llama.cpp", place / "build", library.OPTIONS, _TARGETS)
            write_whole(place / "built.json", json.dumps(library.stamp()).encode())
    return place / "build" / "bin"


def find_cross_build(project: Path, options: Sequence[str], target: str) -> Path | None:
    """The folder of `cross` for these arguments, if it is built; else None."""
    place = library.folder() / project.name
    try:
        whole = json.loads((place / "built.json").read_bytes()) == _cross_stamp(project, options, target)
    except (OSError, ValueError):
        return None
    return place / "bin" if whole else None


def cross(project: Path, options: Sequence[str], target: str) -> Path:
    """The folder with the libraries and programs of a CMake project that takes llama.cpp's source as ``LLAMA_CPP``,
    compiled for 64-bit Arm if they are missing.

    Args:
        project: the folder with its CMakeLists.txt. target: its program, whose source of that name lies beside it.

    Raises:
        As `build`.
    """
    place = library.folder() / project.name
    _need(*_CROSS_COMPILERS)
    unpacked = source()
    with _alone(library.folder()):
        if find_cross_build(project, options, target) is None:
            place.mkdir(exist_ok=True)
            (place / "built.json").unlink(missing_ok=True)
            compile_library(project, place, [f"LLAMA_CPP={unpacked / 'vendor' / 'llama.cpp'}", *options], (target,))
            write_whole(place / "built.json", json.dumps(_cross_stamp(project, options, target)).encode())
    return place / "bin"


def _cross_stamp(project: Path, options: Sequence[str], target: str) -> dict[str, object]:
    files = [project / "CMakeLists.txt", project.parent / f"{target}.cpp", *sorted(project.parent.glob("*.h"))]
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return {"sdist": library.SDIST, "options": list(options), "project": digest}


def _need(*compilers: str) -> None:
    lacking = [name for name in ("cmake", "ninja", *compilers) if shutil.which(name) is None]
    if lacking:
        apt = "apt-get install g++-aarch64-linux-gnu qemu-user" if _CROSS_COMPILERS[1] in lacking else _APT
        raise MissingExtra(f"building llama.cpp needs {', '.join(lacking)}.", hint=f"On Debian or Ubuntu: {apt}")


def compile_library(project: Path, out: Path, options: Sequence[str], targets: Sequence[str]) -> None:
    print("building llama.cpp (minutes the first time)", file=sys.stderr)
    # CMake remembers its source folder; another installation of edgekit has its own. Compiled objects stay.
    known = out / "CMakeCache.txt"
    if known.is_file() and f"CMAKE_HOME_DIRECTORY:INTERNAL={project}\n" not in known.read_text("utf-8", "replace"):
        known.unlink()
    flags = [f"-D{option}" for option in options]
    _run(["cmake", "-S", str(project), "-B", str(out), "-G", "Ninja", *flags], out.parent)
    _run(["cmake", "--build", str(out), "--target", *targets], out.parent)


def _alone(place: Path) -> contextlib.AbstractContextManager[object]:
    import filelock

    return filelock.FileLock(place / "lock")


def _download(folder: Path) -> Path:
    """The source distribution in `folder`, by the user's own pip, which knows the mirrors and proxies of this
    machine.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    requirement = f"llama-cpp-python=={library.VERSION}"
    # pip runs the package's own code to learn its name. With a hash it looks at the whole file before.
    (folder / "pinned.txt").write_text(f"{requirement} --hash=sha256:{library.SDIST}\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    command += ["--require-hashes", "--requirement", str(folder / "pinned.txt")]
    # Without this pip would configure CMake only to learn the package's name.
    done = subprocess.run(command, env={**os.environ, "SKBUILD_WHEEL_CMAKE": "false"}, capture_output=True, text=True)
    archives = list(folder.glob("*.tar.gz"))
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise FetchFailed(f"the source of {requirement} is not the pinned file, of sha256 {library.SDIST[:12]}...")
    if done.returncode or len(archives) != 1:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise FetchFailed(f"pip could not download the source of {requirement}: {reason}")
    return archives[0]


def _run(command: list[str], place: Path) -> None:
    # ccache hashes file names and does not see through -march=native: the base makes names relative, the namespace
    # keeps the objects of other processors apart.
    environment = {
        **os.environ,
        "CCACHE_BASEDIR": str(place),
        "CCACHE_NOHASHDIR": "1",
        "CCACHE_NAMESPACE": f"llama-{library.stamp()['processor']}",
    }
    log = place / "build.log"
    with log.open("ab") as sink:
        done = subprocess.run(command, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    if done.returncode:
        last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise EdgekitError(f"llama.cpp could not be built: {''.join(last)}", hint=f"The whole log is in {log}.")
