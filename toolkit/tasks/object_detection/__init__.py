"""Object detection: from a picture to labelled boxes."""

from __future__ import annotations

from edgekit.core import Agreement, Evaluation, Task
from edgekit.tasks.common.vision.detector import Detector
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.object_detection.agreeing import answer, figures, same_boxes
from edgekit.tasks.object_detection.drawn import draw_prediction
from edgekit.tasks.object_detection.samples import samples

TASK = Task(
    "object-detection",
    "picture",
    "answers",
    samples,
    Detector,
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
    show=draw_prediction,
)
