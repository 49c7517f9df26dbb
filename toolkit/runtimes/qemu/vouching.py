"""Whose C is compiled: what this process wrote, or what its exporter has compared with what it generates itself.

To compile a bundle's C and call it is to run a program, and whoever made the bundle also made its manifest and the
hashes in it. So no folder is believed by itself: `vouch` is called by who knows what is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import BadInput, boundary

#: Digests of the folders that this process wrote or checked. Of a whole folder: files that are each fine may not fit
#: together.
KNOWN: set[bytes] = set()

#: What ``src/`` may hold at most; a network of a microcontroller has a few hundred kilobytes.
_MOST = 256 * 2**20

HINT = (
    "Export it again with this edgekit; or build the firmware yourself with its CMakeLists.txt if you trust where it "
    "came from."
)


def vouch(files: Mapping[str, bytes]) -> None:
    """Remember the files of a folder as C that may be compiled."""
    KNOWN.add(_digest(files))


def is_vouched(files: Mapping[str, bytes]) -> bool:
    """Whether exactly these files may be compiled."""
    return _digest(files) in KNOWN


def read_vouched_files(folder: Path) -> dict[str, bytes]:
    """The files of `folder`, name -> content.

    Raises:
        BadInput: nobody has vouched for them.
    """
    files = read(folder)
    if not is_vouched(files):
        raise BadInput(
            f"the C in {place_of(folder)} was not checked: compiling somebody else's code would run it.",
            hint="Open the whole bundle: edgekit.load(BUNDLE).",
        )
    return files


def read(folder: Path) -> dict[str, bytes]:
    """Name -> content. Raises BadInput for anything but plain files, and for too many bytes."""
    with boundary():
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in paths:
            if path.is_symlink() or not path.is_file():
                raise refusal(folder, path.name, "is not a plain file")
        if sum(path.stat().st_size for path in paths) > _MOST:
            raise BadInput(
                f"{place_of(folder)} holds more than {_MOST:,} bytes; it is not of a microcontroller's model."
            )
        return {path.name: path.read_bytes() for path in paths}


def refusal(folder: Path, name: str, why: str) -> BadInput:
    """The error about a file of `folder`."""
    return BadInput(f"{place_of(folder)}/{name} {why}; compiling somebody else's code would run it.", hint=HINT)


def place_of(folder: Path) -> str:
    """``BUNDLE/src``."""
    folder = folder.absolute()
    return f"{folder.parent.name}/{folder.name}"


def _digest(files: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(hashlib.sha256(name.encode(errors="surrogateescape")).digest() + hashlib.sha256(content).digest())
    return digest.digest()
