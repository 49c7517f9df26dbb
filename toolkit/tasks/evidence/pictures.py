"""Photographs: 28, each whole and as a detail of it. 56 views, 28 of 14 photographs in each half."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Evidence, Sample

__all__ = ["PICTURES"]


def _samples(folder: Path) -> Sequence[Sample]:
    from edgekit.tasks.evidence.stored import halves

    return [Sample(str(path), None, path.stem) for half in halves("pictures") for path in half]


PICTURES = Evidence(
    "photographs",
    "CC0-1.0 AND CC-BY-4.0 AND CC-BY-2.0",
    "28 photographs of scikit-image, scikit-learn, budgie-backgrounds and lomiri-wallpapers, two views of each",
    _samples,
)
