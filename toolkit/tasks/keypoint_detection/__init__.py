"""Keypoint detection: from a picture to the points of bodies, hands or other things with joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.evidence.people import PEOPLE
from edgekit.tasks.keypoint_detection.agreeing import NEAR, answer, figures, near_points


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.keypoint_detection.samples import samples

    return samples(folder, labels)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.keypoint_detection.pipeline import Keypoints

    return Keypoints(parts, folder, facts)


def _show(sample: Any, prediction: Prediction) -> Any:
    from edgekit.tasks.keypoint_detection.pipeline import draw_prediction

    return draw_prediction(sample, prediction)


TASK = Task(
    "keypoint-detection",
    "picture",
    "answers",
    _samples,
    _predictor,
    metric="pck",
    golden="data/golden/astronaut.png",
    evaluation=Evaluation("pck", worst=None, drop=0.02, minimum=100),
    evidence=PEOPLE,
    agreement=Agreement(
        f"as many objects, whose points lie {NEAR:.0%} of the object's size or less from fp32's on average",
        answer,
        near_points,
        bar=0.85,
        figures=figures,
        bounds=False,
    ),
    show=_show,
)
