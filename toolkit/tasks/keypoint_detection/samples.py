"""Data folders of keypoint detection: pictures with points, as COCO writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.vision.coco import FILE, Annotation, box_of, read_annotations


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's keypoints, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of mappings with ``points`` [[x, y] or None, ..] and ``size``. The points must be
    the model's, in its order.

    Raises:
        BadInput: see `edgekit.tasks.common.vision.coco`; points that are not triples of numbers.
    """
    pairs = list(read_annotations(folder, labels))
    if not (folder / FILE).is_file():
        return [sample for sample, _ in pairs]
    return [replace(sample, truth=[_truth(one) for one in annotations]) for sample, annotations in pairs]


def _truth(annotation: Annotation) -> dict[str, Any]:
    left, top, right, bottom = box_of(annotation)
    numbers = annotation.entry.get("keypoints")
    if not isinstance(numbers, list) or not numbers or len(numbers) % 3 or not all(_real(value) for value in numbers):
        raise BadInput(f"{annotation.what} has no keypoints [x, y, visible, ..].", hint="See docs/data.md.")
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    points = [[float(x), float(y)] if visible else None for x, y, visible in triples]
    return {"points": points, "size": max(right - left, bottom - top)}


def _real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
