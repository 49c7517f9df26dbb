"""Speech recognition: from a sound to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Evaluation, Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreements import SAME_WORDS


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.automatic_speech_recognition.samples import samples

    return samples(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.automatic_speech_recognition.letters import Letters

    return Letters(parts, folder, facts)


TASK = Task(
    "automatic-speech-recognition",
    "sound",
    "answers",
    _samples,
    _predictor,
    metric="wer",
    golden="data/golden/jfk.flac",
    evaluation=Evaluation("wer", worst=1.0, drop=0.01, minimum=20),
    agreement=SAME_WORDS,
)
