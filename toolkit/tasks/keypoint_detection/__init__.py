"""Keypoint detection: from a picture to the points of bodies, hands or other things with joints."""

from __future__ import annotations

from edgekit.core import Agreement, Evaluation, Task
from edgekit.tasks.evidence.people import PEOPLE
from edgekit.tasks.keypoint_detection.agreeing import NEAR, answer, figures, near_points
from edgekit.tasks.keypoint_detection.pipeline import Keypoints, draw_prediction
from edgekit.tasks.keypoint_detection.samples import samples

TASK = Task(
    "keypoint-detection",
    "picture",
    "answers",
    samples,
    Keypoints,
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
    show=draw_prediction,
)
