"""Data folders of keypoint detection: pictures with points, as COCO writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.vision.coco import Annotation, annotated_samples, box_of, is_number


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's keypoints, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of mappings with ``points`` [[x, y] or None, ..] and ``size``. The points must be
    the model's, in its order.

    Raises:
        BadInput: see `edgekit.tasks.common.vision.coco`; points that are not triples of numbers.
    """
    return annotated_samples(folder, labels, _truth)


def _truth(annotation: Annotation) -> dict[str, Any]:
    left, top, right, bottom = box_of(annotation)
    numbers = annotation.entry.get("keypoints")
    if not isinstance(numbers, list) or not numbers or len(numbers) % 3 or not all(map(is_number, numbers)):
        raise BadInput(f"{annotation.what} has no keypoints [x, y, visible, ..].", hint="See docs/data.md.")
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    points = [[float(x), float(y)] if visible else None for x, y, visible in triples]
    return {"points": points, "size": max(right - left, bottom - top)}
