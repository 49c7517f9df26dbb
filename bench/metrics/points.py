"""Share of points that are where they should be: PCK at a fifth of the object's side (Yang and Ramanan 2013)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput

_SHARE = 0.2


def pck(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per picture, (points that are near enough, points that are labelled).

    Args:
        outputs: for each picture its objects: mappings with ``points`` [[x, y], ..]. truths: the same with ``size``,
            the longer side of the object, and None in place of points that are not labelled. Each truth takes the
            object that has most of its points.

    Raises:
        BadInput: lengths differ, a picture has no truth, or another number of points.
    """
    lacking = "a picture has no truth; PCK needs a list of objects for each."
    pairs: list[Pair] = []
    for output, truth in side_by_side(outputs, truths, lacking):
        near = [max((_near(found["points"], wanted) for found in output), default=0) for wanted in truth]
        labelled = [sum(point is not None for point in wanted["points"]) for wanted in truth]
        pairs.append((float(sum(near)), float(sum(labelled))))
    return pairs


def _near(points: Sequence[Any], truth: Any) -> int:
    if len(points) != len(truth["points"]):
        raise BadInput(f"the truth has {len(truth['points'])} points, the answer {len(points)}.")
    reach = _SHARE * float(truth["size"])
    both = zip(points, truth["points"], strict=True)
    return sum(wanted is not None and math.dist(point, wanted) <= reach for point, wanted in both)
