"""A mirror: a read-only folder in which pinned files are looked up by their hash, before any download."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from edgekit.common.files import hash_file
from edgekit.core import SourceFile
from edgekit.errors import BadInput


class Mirror:
    """The files below `folder`, whatever their names, by size and then by sha256.

    Raises:
        BadInput: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser()
        if not self.folder.is_dir():
            raise BadInput(
                f"there is no mirror folder {str(folder)!r}.", hint="See --mirror and the environment's EDGEKIT_MIRROR."
            )
        self._sizes: dict[int, list[Path]] = {}
        for path in _files(self.folder):
            self._sizes.setdefault(path.stat().st_size, []).append(path)
        self._hashes: dict[Path, str] = {}

    def find(self, file: SourceFile) -> Path | None:
        """The path of the pinned file; None if it is absent or not pinned."""
        if file.sha256 is None:
            return None
        sizes = self._sizes if file.size is None else (file.size,)
        candidates = (path for size in sizes for path in self._sizes.get(size, ()))
        return next((path for path in candidates if self._hash(path) == file.sha256), None)

    def lacking(self, files: Iterable[SourceFile]) -> str:
        """A sentence about the files that are absent ("" if all are here)."""
        lacks = [file for file in files if file.sha256 and self.find(file) is None]
        listed = ", ".join(f"{Path(file.name).name} (sha256 {file.sha256})" for file in lacks)
        return f"The mirror {self.folder} does not hold {listed}." if lacks else ""

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            try:
                self._hashes[path] = hash_file(path)
            except OSError:  # an unreadable file counts as absent
                self._hashes[path] = ""
        return self._hashes[path]


def _files(folder: Path) -> list[Path]:
    paths = (Path(base) / name for base, _, names in os.walk(folder) for name in sorted(names))
    return [path for path in paths if path.is_file()]
