"""When the points of two networks are the same answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Prediction

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
