"""Curves of scores: how high a detector's score was, over the time of a sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.common.lazy import NDArray, np

#: Values of a curve at most.
_POINTS = 16


def curve(scores: NDArray[Any]) -> list[float]:
    """The largest score of each of up to 16 equal stretches of a sound, from scores [looks, words] in 0..1."""
    if not scores.size:
        return []
    return [round(float(part.max()), 3) for part in np.array_split(scores, min(_POINTS, len(scores)))]


def distances(curves: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> list[float]:
    """For each sound with a curve, the mean distance of two curves; 1.0 where their lengths differ."""
    far = []
    for values, wanted in zip(curves, reference, strict=True):
        if len(values) != len(wanted):
            far.append(1.0)
        elif values:
            far.append(sum(abs(a - b) for a, b in zip(values, wanted, strict=True)) / len(values))
    return far
