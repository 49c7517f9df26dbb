"""Speaker verification: whether the same person speaks in two clips."""

from __future__ import annotations

from edgekit.core import Task
from edgekit.tasks.audio_speaker_verification.trials import samples
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.evidence.speech import VOICES

TASK = Task(
    "audio-speaker-verification",
    "sound",
    "answers",
    lambda folder, labels: samples(folder),
    metric="eer",
    golden="data/golden/jfk.flac",
    evidence=VOICES,
    agreement=of_vectors(cosine=0.98, ranks=0.98),
)
