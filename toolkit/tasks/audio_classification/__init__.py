"""Audio classification: keywords and wake words in a sound, or what a sound is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.numerics.alarms import NOTHING
from edgekit.tasks.common.agreement import label
from edgekit.tasks.evidence.speech import SPEECH


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.audio_classification.samples import word_samples

    return word_samples(folder, tuple(labels))


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.audio_classification.sounds import Sounds

    return Sounds(parts, folder, facts)


def _answer(prediction: Prediction) -> Mapping[str, Any]:
    return {"label": label(prediction), "curve": list(prediction.details.get("curve", ()))}


def _is_nothing(answer: Any) -> bool:
    return bool(answer["label"] == NOTHING)


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [answer["label"] == wanted["label"] for answer, wanted in zip(answers, reference, strict=True)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.tasks.audio_classification.curves import distances

    far = distances([answer["curve"] for answer in answers], [wanted["curve"] for wanted in reference])
    return {"largest mean distance of scores": max(far)} if far else {}


TASK = Task(
    "audio-classification",
    "sound",
    "answers",
    _samples,
    _predictor,
    metric="accuracy",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.01, minimum=200),
    evidence=SPEECH,
    agreement=Agreement("the same decision", _answer, _same, bar=0.9, figures=_figures, nothing=_is_nothing),
)
