"""Data of text generation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import (
    Sample,
)
from edgekit.errors import BadInput

__all__ = ["samples"]


def samples(folder: Path) -> Sequence[Sample]:
    """Every .txt below a folder, or the file itself. A text is its own truth: the next tokens."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.txt"))
    if not files:
        raise BadInput(f"{folder} holds no .txt.", hint="A text of some thousand words will do; see docs/data.md.")
    return [Sample(str(path), str(path), path.name) for path in files]
