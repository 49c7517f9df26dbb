"""Speaker verification: whether the same person speaks in two clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample, Task
from edgekit.tasks.common.agreements import near_vectors


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.audio_speaker_verification.trials import samples

    return samples(folder)


TASK = Task(
    "audio-speaker-verification",
    "sound",
    "answers",
    _samples,
    metric="eer",
    agreement=near_vectors(least=0.97, bar=0.9, ranks=0.97),
)
