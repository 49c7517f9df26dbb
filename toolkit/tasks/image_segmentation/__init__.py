"""Image segmentation: from a picture to a class for every pixel."""

from __future__ import annotations

from edgekit.core import Agreement, Evaluation, Task
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.image_segmentation.agreeing import SAME, answer, figures, is_background, same_areas
from edgekit.tasks.image_segmentation.samples import samples
from edgekit.tasks.image_segmentation.segmenter import Segmenter, draw_prediction

TASK = Task(
    "image-segmentation",
    "picture",
    "answers",
    samples,
    Segmenter,
    metric="miou",
    golden="data/golden/astronaut.png",
    # Of a stranger's network no overlap is known that would be too low; its loss is judged.
    evaluation=Evaluation("miou", worst=None, drop=0.02, minimum=100),
    evidence=PICTURES,
    agreement=Agreement(
        f"a mean IoU of at least {SAME} with fp32's areas",
        answer,
        same_areas,
        bar=0.85,
        figures=figures,
        bounds=False,
        nothing=is_background,
    ),
    show=draw_prediction,
)
