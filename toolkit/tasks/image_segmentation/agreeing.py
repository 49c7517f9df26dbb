"""When the areas of two networks are the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Prediction
from edgekit.tasks.image_segmentation.segmenter import runs_of

SAME = 0.9
#: Cells a side in which answers are kept: a bundle holds them for `verify`.
_SIDE = 64
#: A class with a smaller share of both pictures is no area: some pixels at an edge.
_LEAST = 0.002


def answer(prediction: Prediction) -> list[int]:
    """The classes at the middles of 64 x 64 cells, as runs: class, length, class, length .."""
    classes = np.asarray(prediction.metric_input)
    rows, columns = (((np.arange(_SIDE) + 0.5) * size / _SIDE).astype(int) for size in classes.shape)
    return runs_of(classes[rows][:, columns])


def is_background(answer: Any) -> bool:
    """Whether (nearly) all of a picture is class 0."""
    other = sum(length for value, length in zip(answer[::2], answer[1::2], strict=True) if value)
    return bool(other < _LEAST * _SIDE**2)


def same_areas(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    """Whether the mean IoU over the classes of both is at least `SAME`."""
    return [overlap >= SAME for overlap in _overlaps(answers, reference)]


def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """The mean and the least of the pictures' mean IoU."""
    overlaps = _overlaps(answers, reference)
    if not overlaps:
        return {}
    return {"mean IoU with fp32's": sum(overlaps) / len(overlaps), "least IoU of a picture": min(overlaps)}


def _overlaps(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    overlaps = []
    for sides in zip(answers, reference, strict=True):
        mine, wanted = (np.repeat(np.array(runs[::2], int), np.array(runs[1::2], int)) for runs in sides)
        shares = []
        for value in np.union1d(mine, wanted):
            either = (mine == value) | (wanted == value)
            if either.mean() >= _LEAST:
                shares.append(float(((mine == value) & (wanted == value)).sum() / either.sum()))
        overlaps.append(sum(shares) / len(shares))
    return overlaps
