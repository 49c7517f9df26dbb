"""How far pictures of the same noise lie apart, by their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.common.lazy import np
from edgekit.tasks.common.agreement import array_distances


def distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """For each picture the distance of its features from the reference's, where 1 is the mean distance of two of the
    reference's own pictures.

    Infinite where an answer has another length, or is not finite, or the reference's pictures are all the same.
    """
    rows = [np.asarray(row, np.float64) for row in reference]
    apart = [float(np.linalg.norm(a - b)) for i, a in enumerate(rows) for b in rows[:i] if a.shape == b.shape]
    unit = sum(apart) / len(apart) if apart else 0.0
    far = array_distances(answers, rows, lambda mine, wanted: np.linalg.norm(mine - wanted))
    return [distance / unit if unit > 0 else float("inf") for distance in far]
