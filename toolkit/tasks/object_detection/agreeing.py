"""When the boxes of two networks are the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Prediction

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
