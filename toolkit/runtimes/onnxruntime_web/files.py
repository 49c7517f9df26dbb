"""The files of onnxruntime-web that a page loads, fetched once by npm, and checked.

npm knows which registry its user has chosen. Of the package's files a page needs three.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import filelock

from edgekit.core import Progress
from edgekit.errors import FetchFailed, MissingExtra
from edgekit.sources import cache_folder

__all__ = ["FILES", "VERSION", "folder"]

VERSION = "1.30.0"
#: The module for WebAssembly alone, what it loads, and the licence.
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
#: SHA-512 of the package as the registry publishes it, and seconds that fetching it (34 MB) may take.
_INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
_SECONDS = 900


def folder(tell: Progress) -> Path:
    """The folder that holds `FILES`; they are fetched if they are missing.

    Raises:
        MissingExtra: there is no npm. FetchFailed: npm could not fetch the package, or it is another one.
    """
    place = cache_folder() / "onnxruntime-web" / VERSION
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{place}.lock"), tempfile.TemporaryDirectory(dir=place.parent) as work:
        if not place.is_dir():
            tell(f"fetching onnxruntime-web {VERSION}", 0, 0)
            _unpack(_fetch(Path(work)), fresh := Path(work) / "files")
            fresh.replace(place)
    return place


def _fetch(work: Path) -> Path:
    if shutil.which("npm") is None:
        raise MissingExtra(
            "onnxruntime-web comes from npm, which is not installed.",
            hint="Install Node.js, such as by: apt-get install nodejs npm",
        )
    command = ["npm", "pack", f"onnxruntime-web@{VERSION}", "--ignore-scripts", "--pack-destination", str(work)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=work)
    except subprocess.TimeoutExpired as exc:
        raise FetchFailed(f"npm did not fetch onnxruntime-web within {_SECONDS} s.", hint="Try again.") from exc
    archives = list(work.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise FetchFailed(f"npm could not fetch onnxruntime-web {VERSION}: {said}", hint="Try: npm ping")
    return archives[0]


def _unpack(archive: Path, out: Path) -> None:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != _INTEGRITY:
        raise FetchFailed(
            f"onnxruntime-web {VERSION} is not the package that was published: its SHA-512 differs.",
            hint="Look at the registry that npm uses: npm config get registry",
        )
    out.mkdir()
    with tarfile.open(archive) as tar:
        for name in FILES:
            held = tar.extractfile(f"package/dist/{name}")
            assert held is not None
            (out / name).write_bytes(held.read())
