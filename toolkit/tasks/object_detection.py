"""Object detection: from a picture to labelled boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Facts, Prediction, Sample, Task
from edgekit.tasks.common.drawing import Canvas, picture_of
from edgekit.tasks.common.vision.coco import Annotation, annotated_samples, box_of
from edgekit.tasks.common.vision.detector import Detector
from edgekit.tasks.evidence.pictures import PICTURES


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's instances, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of mappings with ``label``, ``box`` (left, top, right, bottom) and ``crowd``.

    Raises:
        BadInput: see `edgekit.tasks.common.vision.coco`; a box that is outside of its picture or has no area.
    """
    return annotated_samples(folder, labels, _truth)


def _truth(one: Annotation) -> Facts:
    return {"label": one.label, "box": box_of(one), "crowd": bool(one.entry.iscrowd)}


#: Overlap at which two boxes are of the same thing, as detection's oldest measure has it (PASCAL VOC).
_SAME = 0.5


def answer(prediction: Prediction) -> list[list[Any]]:
    """[label, left, top, right, bottom] of each box, in tenths of a pixel."""
    return [[box["label"], *(round(side, 1) for side in box["box"])] for box in prediction.metric_input]


def same_boxes(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    """Whether every box of one answer has its own box in the other, and none is left over."""
    sides = zip(answers, reference, strict=True)
    return [len(mine) == len(wanted) == len(_pairs(mine, wanted)) for mine, wanted in sides]


def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """The mean overlap of the boxes that have a partner; nothing where there is no such box."""
    pairs = [pair for mine, wanted in zip(answers, reference, strict=True) for pair in _pairs(mine, wanted)]
    return {"mean IoU of matched boxes": sum(overlap for _, _, overlap in pairs) / len(pairs)} if pairs else {}


def _pairs(mine: Sequence[Any], wanted: Sequence[Any]) -> list[tuple[int, int, float]]:
    from edgekit.numerics.boxes import match_boxes

    pairs: list[tuple[int, int, float]] = []
    for label in sorted({box[0] for box in mine}):
        first, second = ([box[1:] for box in side if box[0] == label] for side in (mine, wanted))
        pairs += match_boxes(first, second, _SAME)
    return pairs


def draw_prediction(sample: Any, prediction: Prediction) -> Any:
    """The picture with its boxes, as a PIL image."""
    canvas = Canvas(picture_of(sample))
    labels = sorted({box["label"] for box in prediction.details["boxes"]})
    for box in prediction.details["boxes"]:
        number = labels.index(box["label"])
        canvas.points(box.get("points", []), number=number + 1)
        canvas.box(box["box"], f"{box['label']} {box['score']:.2f}", number)
    return canvas.image


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
