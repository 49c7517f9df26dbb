"""Audio classification: keywords and wake words in a sound, or what a sound is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Evaluation, Facts, Prediction, Task
from edgekit.numerics.alarms import NOTHING
from edgekit.tasks.audio_classification.samples import word_samples
from edgekit.tasks.audio_classification.sounds import Sounds
from edgekit.tasks.common.agreement import label
from edgekit.tasks.evidence.speech import SPEECH


def _answer(prediction: Prediction) -> Facts:
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
    lambda folder, labels: word_samples(folder, tuple(labels)),
    Sounds,
    metric="accuracy",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.01, minimum=200),
    evidence=SPEECH,
    agreement=Agreement("the same decision", _answer, _same, bar=0.9, figures=_figures, nothing=_is_nothing),
)
