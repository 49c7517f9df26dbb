"""Object detection: from a picture to labelled boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.object_detection.agreeing import answer, figures, same_boxes


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.object_detection.samples import samples

    return samples(folder, labels)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.common.vision.detector import Detector

    return Detector(parts, folder, facts)


def _show(sample: Any, prediction: Prediction) -> Any:
    from edgekit.tasks.object_detection.drawn import draw_prediction

    return draw_prediction(sample, prediction)


TASK = Task(
    "object-detection",
    "picture",
    "answers",
    _samples,
    _predictor,
    metric="map",
    golden="data/golden/astronaut.png",
    # Of a stranger's network no precision is known that would be too low; its loss is judged.
    evaluation=Evaluation("map", worst=None, drop=0.02, minimum=200, also=("map@0.5",)),
    evidence=PICTURES,
    agreement=Agreement(
        "the same labels in boxes that overlap fp32's by 0.5 or more (IoU)",
        answer,
        same_boxes,
        bar=0.85,
        figures=figures,
        bounds=False,
    ),
    show=_show,
)
