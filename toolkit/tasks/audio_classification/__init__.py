"""Audio classification: keywords and wake words in a sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample, Task


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.audio_classification.samples import word_samples

    return word_samples(folder, tuple(labels))


TASK = Task("audio-classification", "sound", "answers", _samples, metric="accuracy")
