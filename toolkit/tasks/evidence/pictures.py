"""Photographs: 30, each whole and as a detail of it. 60 views, 30 of 15 photographs in each half."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.stored import halves


def _samples(folder: Path) -> Sequence[Sample]:
    return [
        Sample(str(path), None, path.stem, source=path.stem.rpartition("-")[0])
        for half in halves("pictures")
        for path in half
    ]


PICTURES = Evidence(
    "photographs",
    "CC0-1.0 AND CC-BY-4.0 AND CC-BY-2.0",
    "30 photographs of scikit-image, scikit-learn, matplotlib, face_recognition, budgie-backgrounds and "
    "lomiri-wallpapers, two views of each",
    _samples,
)
