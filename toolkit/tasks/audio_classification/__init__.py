"""Audio classification: keywords and wake words in a sound, or what a sound is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreements import SAME_LABEL


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.audio_classification.samples import word_samples

    return word_samples(folder, tuple(labels))


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.audio_classification.sounds import Sounds

    return Sounds(parts, folder, facts)


def _answer(prediction: Prediction) -> Any:
    """The words that were heard without their times, of a network that listens; else the label."""
    if "events" in prediction.details:
        return [str(event["word"]) for event in prediction.details["events"]]
    return str(prediction.output)


TASK = Task(
    "audio-classification",
    "sound",
    "answers",
    _samples,
    _predictor,
    metric="accuracy",
    golden="data/golden/jfk.flac",
    evaluation=Evaluation("accuracy", worst=0.0, drop=0.01, minimum=200),
    agreement=Agreement(SAME_LABEL.what, _answer, SAME_LABEL.same, SAME_LABEL.bar),
)
