"""Data folders of keypoint detection: pictures with points, as COCO writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.vision.coco import Annotation, annotated_samples, box_of


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
