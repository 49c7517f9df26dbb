"""The files of the evidence, in the order of their halves."""

from __future__ import annotations

from pathlib import Path

_DATA = Path(__file__).parent / "data"


def halves(kind: str) -> tuple[list[Path], list[Path]]:
    """The files of the first and of the second half of ``"pictures"``, ``"speech"`` or ``"texts"``, sorted."""
    first, second = (sorted(path for path in (_DATA / kind / half).iterdir()) for half in ("first", "second"))
    return first, second


def rows(kind: str) -> tuple[list[list[str]], list[list[str]]]:
    """The cells of the tables of the first and of the second half of ``"sentences"`` or ``"spoken"``."""
    first, second = (
        [line.split("\t") for file in files for line in file.read_text(encoding="utf-8").splitlines() if line]
        for files in halves(kind)
    )
    return first, second
