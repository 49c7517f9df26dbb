"""The files of the evidence, in the order of their halves."""

from __future__ import annotations

from pathlib import Path

__all__ = ["halves"]

_DATA = Path(__file__).parent / "data"


def halves(kind: str) -> tuple[list[Path], list[Path]]:
    """The files of the first and of the second half of ``"pictures"``, ``"speech"`` or ``"texts"``, sorted."""
    first, second = (sorted(path for path in (_DATA / kind / half).iterdir()) for half in ("first", "second"))
    return first, second
