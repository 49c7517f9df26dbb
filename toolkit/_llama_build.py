"""llama.cpp's libraries and tools, built once from the source that the Python bindings come with.

``python -m edgekit.llama``, for users and CI alike: pip fetches the pinned source distribution, CMake and Ninja build
it at a path that is always the same, so that ccache (used where it is installed) makes a second build a matter of
seconds. A finished build is recognised and left alone. What is made: the shared libraries, and llama-bench,
llama-quantize, llama-imatrix and llama-perplexity, which the tests compare ours with.
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

from edgekit import llama
from edgekit._files import write_whole
from edgekit.errors import EdgekitError, FetchFailed, MissingExtra

_TARGETS = ("llama", "llama-bench", "llama-quantize", "llama-imatrix", "llama-perplexity")
_OPTIONS = (
    *("CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=ON", "GGML_NATIVE=ON"),
    *("LLAMA_CURL=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_BUILD_APP=OFF", "LLAMA_BUILD_SERVER=OFF"),
    *("LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_EXAMPLES=OFF", "LLAMA_BUILD_TOOLS=ON"),
)
_APT = "apt-get install cmake ninja-build g++ ccache"
#: A program that goes on with a prompt, for a phone's processor: it runs under an emulator, so it holds all it needs.
_ARM64_PROGRAM = "llama-simple"
_ARM64_COMPILERS = ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++")
_ARM64_OPTIONS = (
    *("CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=OFF", "CMAKE_EXE_LINKER_FLAGS=-static"),
    *("CMAKE_SYSTEM_NAME=Linux", "CMAKE_SYSTEM_PROCESSOR=aarch64"),
    *(f"CMAKE_{kind}_COMPILER={path}" for kind, path in zip(("C", "CXX"), _ARM64_COMPILERS, strict=True)),
    *("GGML_NATIVE=OFF", "GGML_CPU_ARM_ARCH=armv8.2-a+dotprod+fp16", "GGML_OPENMP=OFF"),
    *("LLAMA_CURL=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_BUILD_APP=OFF", "LLAMA_BUILD_SERVER=OFF"),
    *("LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_TOOLS=OFF", "LLAMA_BUILD_EXAMPLES=ON"),
)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog=llama.BUILD, description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument(
        "--source-only", action="store_true", help="fetch the source, which converting needs; no compiler"
    )
    parser.add_argument("--arm64", action="store_true", help="a program for phones' processors, to be emulated")
    options = parser.parse_args(arguments)
    try:
        if options.source_only:
            print(source())
        else:
            print(build_arm64() if options.arm64 else build())
    except EdgekitError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    return 0


def source() -> Path:
    """The unpacked source distribution, fetched where it is not there yet.

    Raises:
        FetchFailed: pip could not download it, or it is not the pinned one.
    """
    place = llama.folder()
    marker, unpacked = place / "source.json", place / "source"
    if marker.is_file() and json.loads(marker.read_bytes()) == {"sdist": llama.SDIST}:
        return unpacked
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        print(f"fetching llama-cpp-python {llama.VERSION} (77 MB)", file=sys.stderr)
        archive = _download(place / "download")
        shutil.rmtree(unpacked, ignore_errors=True)
        fresh = place / "unpacking"
        shutil.rmtree(fresh, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(fresh, filter="data")
        next(fresh.iterdir()).replace(unpacked)
        shutil.rmtree(fresh)
        shutil.rmtree(archive.parent)
        write_whole(marker, json.dumps({"sdist": llama.SDIST}).encode())
    return unpacked


def build() -> Path:
    """The folder with the libraries and tools, built where it is not there yet.

    Raises:
        MissingExtra: there is no compiler, CMake or Ninja. FetchFailed: see `source`. EdgekitError: it does not
        compile.
    """
    place = llama.folder()
    if llama.built():
        return place / "build" / "bin"
    _need("c++")
    unpacked = source()
    with _alone(place):
        if not llama.built():  # another process may have built while this one waited
            (place / "built.json").unlink(missing_ok=True)
            _make(unpacked, place / "build", _OPTIONS, _TARGETS)
            write_whole(place / "built.json", json.dumps(llama.stamp()).encode())
    return place / "build" / "bin"


def build_arm64() -> Path:
    """A program for 64-bit Arm (with products of bytes and half precision, as phones since 2018) that goes on with a
    prompt, greedily: ``-m FILE -n TOKENS PROMPT``. Of the same source as the libraries, cross-compiled where it is not
    there yet.

    Raises:
        As `build`.
    """
    place = llama.folder()
    built, stamp = place / "arm64.json", {"sdist": llama.SDIST, "options": list(_ARM64_OPTIONS)}
    program = place / "arm64" / "bin" / _ARM64_PROGRAM
    if built.is_file() and json.loads(built.read_bytes()) == stamp and program.is_file():
        return program
    _need(*_ARM64_COMPILERS)
    unpacked = source()
    with _alone(place):
        built.unlink(missing_ok=True)
        _make(unpacked, place / "arm64", _ARM64_OPTIONS, (_ARM64_PROGRAM,))
        write_whole(built, json.dumps(stamp).encode())
    return program


def _need(*compilers: str) -> None:
    lacking = [name for name in ("cmake", "ninja", *compilers) if shutil.which(name) is None]
    if lacking:
        apt = "apt-get install g++-aarch64-linux-gnu qemu-user" if _ARM64_COMPILERS[1] in lacking else _APT
        raise MissingExtra(f"building llama.cpp needs {', '.join(lacking)}.", hint=f"On Debian or Ubuntu: {apt}")


def _make(unpacked: Path, out: Path, options: Sequence[str], targets: Sequence[str]) -> None:
    print("building llama.cpp (minutes the first time)", file=sys.stderr)
    given = [f"-D{option}" for option in options]
    llama_cpp = unpacked / "vendor" / "llama.cpp"
    _run(["cmake", "-S", str(llama_cpp), "-B", str(out), "-G", "Ninja", *given], out.parent)
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
    requirement = f"llama-cpp-python=={llama.VERSION}"
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", "--dest", str(folder), requirement]
    # Without this pip would configure CMake only to learn the package's name.
    done = subprocess.run(command, env={**os.environ, "SKBUILD_WHEEL_CMAKE": "false"}, capture_output=True, text=True)
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise FetchFailed(f"pip could not download the source of {requirement}: {reason}")
    with archives[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != llama.SDIST:
        raise FetchFailed(
            f"{archives[0].name} is not the pinned file: sha256 {digest[:12]}..., not {llama.SDIST[:12]}..."
        )
    return archives[0]


def _run(command: list[str], place: Path) -> None:
    # ccache hashes file names and does not see through -march=native: the base makes names relative, the namespace
    # keeps the objects of other processors apart.
    environment = {
        **os.environ,
        "CCACHE_BASEDIR": str(place),
        "CCACHE_NOHASHDIR": "1",
        "CCACHE_NAMESPACE": f"llama-{llama.stamp()['processor']}",
    }
    log = place / "build.log"
    with log.open("ab") as sink:
        done = subprocess.run(command, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    if done.returncode:
        last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise EdgekitError(f"llama.cpp could not be built: {''.join(last)}", hint=f"The whole log is in {log}.")
