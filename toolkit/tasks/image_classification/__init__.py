"""Image classification: from a picture to a label."""

from __future__ import annotations

from edgekit.core import Agreement, Evaluation, Task
from edgekit.tasks.common.agreement import label, same_value
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.image_classification.classifier import Classifier, draw_prediction
from edgekit.tasks.image_classification.samples import samples

TASK = Task(
    "image-classification",
    "picture",
    "answers",
    samples,
    Classifier,
    metric="accuracy",
    golden="data/golden/espresso.png",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.02, minimum=200),
    evidence=PICTURES,
    agreement=Agreement("the same top label", label, same_value, bar=0.85),
    show=draw_prediction,
)
