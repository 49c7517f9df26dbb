"""Image classification: from a picture to a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreement import label, same_value
from edgekit.tasks.evidence.pictures import PICTURES


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.image_classification.samples import samples

    return samples(folder, labels)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.image_classification.classifier import Classifier

    return Classifier(parts, folder, facts)


def _show(sample: Any, prediction: Prediction) -> Any:
    from edgekit.tasks.image_classification.classifier import draw_prediction

    return draw_prediction(sample, prediction)


TASK = Task(
    "image-classification",
    "picture",
    "answers",
    _samples,
    _predictor,
    metric="accuracy",
    golden="data/golden/espresso.png",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.02, minimum=200),
    evidence=PICTURES,
    agreement=Agreement("the same top label", label, same_value, bar=0.85),
    show=_show,
)
