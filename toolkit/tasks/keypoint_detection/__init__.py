"""Keypoint detection: from a picture to the points of bodies, hands or other things with joints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from edgekit.core import Agreement, Evaluation, Prediction, Sample, Task
from edgekit.errors import BadInput
from edgekit.tasks.common.vision.coco import Annotation, annotated_samples, box_of
from edgekit.tasks.evidence.people import PEOPLE
from edgekit.tasks.keypoint_detection.pipeline import Keypoints, draw_prediction


class Points(TypedDict):
    """What is true of an object: its points, None for one that is not labelled, and its size in pixels."""

    points: list[list[float] | None]
    size: float


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's keypoints, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of `Points`, which must be the model's, in its order.

    Raises:
        BadInput: see `edgekit.tasks.common.vision.coco`; points that are not triples of numbers.
    """
    return annotated_samples(folder, labels, _truth)


def _truth(annotation: Annotation) -> Points:
    left, top, right, bottom = box_of(annotation)
    numbers = annotation.entry.keypoints
    if not numbers or len(numbers) % 3:
        raise BadInput(f"{annotation.what} has no keypoints [x, y, visible, ..].", hint="See docs/data.md.")
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    points = [[x, y] if visible else None for x, y, visible in triples]
    return {"points": points, "size": max(right - left, bottom - top)}


#: Mean distance, as a share of the longer side of the reference's points.
NEAR = 0.05


def answer(prediction: Prediction) -> list[list[list[float]]]:
    """The points of each object, in tenths of a pixel of the picture."""
    return [[[round(x, 1), round(y, 1)] for x, y in found["points"]] for found in prediction.metric_input]


def near_points(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    """Whether there are as many objects, best first, and each is near the reference's."""
    return [
        len(mine) == len(wanted)
        and all(_distance(*pair) <= NEAR * _size(pair[1]) for pair in zip(mine, wanted, strict=True))
        for mine, wanted in zip(answers, reference, strict=True)
    ]


def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """The mean distance of points in pixels and as a share of the object's size, where both have as many objects."""
    pairs = [
        pair
        for mine, wanted in zip(answers, reference, strict=True)
        if len(mine) == len(wanted)
        for pair in zip(mine, wanted, strict=True)
    ]
    if not pairs:
        return {}
    distances = [_distance(*pair) for pair in pairs]
    shares = [distance / _size(wanted) for distance, (_, wanted) in zip(distances, pairs, strict=True)]
    return {
        "mean distance from fp32's in pixels": sum(distances) / len(pairs),
        "mean distance as a share of the size": sum(shares) / len(pairs),
    }


def _distance(mine: Any, wanted: Any) -> float:
    if len(mine) != len(wanted) or not wanted:
        return math.inf
    return sum(math.dist(*pair) for pair in zip(mine, wanted, strict=True)) / len(wanted)


def _size(points: Any) -> float:
    """The longer side of the box around points, a pixel at least."""
    xs, ys = ([point[axis] for point in points] for axis in (0, 1))
    return float(max(max(xs) - min(xs), max(ys) - min(ys), 1.0))


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
