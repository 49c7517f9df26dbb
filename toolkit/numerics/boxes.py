"""Boxes (left, top, right, bottom): their overlap, pairs of them, and non-maximum suppression."""

from __future__ import annotations

from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, np

Floats: TypeAlias = "NDArray[np.float64]"


def overlaps(first: Any, second: Any) -> Floats:
    """Intersection over union of every box of `first` with every box of `second`: [first, second]. A box without an
    area overlaps nothing."""
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (first, second))
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = (high - low).clip(min=0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - common
    share: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return share


def non_maximum_suppression(boxes: Any, scores: Any, overlap: float, most: int) -> list[int]:
    """Non-maximum suppression: indices of the boxes that stay, best first, `most` at most. A box goes if it overlaps a
    better one by more than `overlap`; of equal scores the earlier box is the better."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    left = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    chosen: list[int] = []
    while len(left) and len(chosen) < most:
        best, left = int(left[0]), left[1:]
        chosen.append(best)
        left = left[overlaps(boxes[best], boxes[left])[0] <= overlap]
    return chosen


def match_boxes(first: Any, second: Any, least: float) -> list[tuple[int, int, float]]:
    """Pairs (index in `first`, in `second`, overlap) of at least this overlap, each box in one pair at most: the pair
    that overlaps most comes first, and so on."""
    table = overlaps(first, second)
    pairs: list[tuple[int, int, float]] = []
    while table.size and table.max() >= least:
        i, j = np.unravel_index(int(table.argmax()), table.shape)
        pairs.append((int(i), int(j), float(table[i, j])))
        table[i, :] = table[:, j] = -1.0
    return pairs
