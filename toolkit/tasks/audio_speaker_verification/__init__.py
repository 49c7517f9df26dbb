"""Speaker verification: whether the same person speaks in two clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample, Task
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.evidence.speech import VOICES


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.audio_speaker_verification.trials import samples

    return samples(folder)


TASK = Task(
    "audio-speaker-verification",
    "sound",
    "answers",
    _samples,
    metric="eer",
    golden="data/golden/jfk.flac",
    evidence=VOICES,
    agreement=of_vectors(cosine=0.98, ranks=0.98),
)
