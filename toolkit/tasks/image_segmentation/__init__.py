"""Image segmentation: from a picture to a class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.image_segmentation.agreeing import SAME, answer, figures, is_background, same_areas


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.image_segmentation.samples import samples

    return samples(folder, labels)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.image_segmentation.segmenter import Segmenter

    return Segmenter(parts, folder, facts)


def _show(sample: Any, prediction: Prediction) -> Any:
    from edgekit.tasks.image_segmentation.segmenter import draw_prediction

    return draw_prediction(sample, prediction)


TASK = Task(
    "image-segmentation",
    "picture",
    "answers",
    _samples,
    _predictor,
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
    show=_show,
)
