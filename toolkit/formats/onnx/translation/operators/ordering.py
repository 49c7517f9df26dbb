"""Order along an axis: the largest, cumulative sums."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgekit.common.lazy import NDArray
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import integers, sizes

Array = NDArray[Any]
#: A round of `NonMaxSuppression` is a dozen operators.
_MOST_ROUNDS = 300


@operator("ArgMax", "ArgMin")
def _arg_extreme(node: Node, x: Tensor) -> Tensor:
    axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
    find = torch.argmax if node.kind == "ArgMax" else torch.argmin
    if node.get("select_last_index", 0):
        last: Tensor = sizes(x)[axis] - 1 - find(x.flip(axis), axis, keep)
        return last
    return find(x, axis, keep)


@operator("TopK", numbers=(1,))
def _top_k(node: Node, x: Tensor, k: Array | None = None) -> tuple[Tensor, Tensor]:
    count = node.get("k") if k is None else integers(k)[0]
    axis, largest = node.get("axis", -1), bool(node.get("largest", 1))
    if torch.compiler.is_exporting() or torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]
        # What formats have. Each runtime orders equal values as it likes.
        values, places = torch.topk(x, count, axis, largest, bool(node.get("sorted", 1)))
        return values, places
    values, places = torch.sort(x, dim=axis, descending=largest, stable=True)  # of equal values the first comes first
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


@operator("CumSum", numbers=(1,))
def _cumulative_sum(node: Node, x: Tensor, axis: Array) -> Tensor:
    place = integers(axis)[0]
    if node.get("reverse", 0):
        x = x.flip(place)
    out = torch.cumsum(x, place).to(x.dtype)
    if node.get("exclusive", 0):
        out = out - x
    return out.flip(place) if node.get("reverse", 0) else out


@operator("CumProd", numbers=(1,))
def _cumulative_product(node: Node, x: Tensor, axis: Array) -> Tensor:
    place = integers(axis)[0]
    if node.get("reverse", 0):
        x = x.flip(place)
    if node.get("exclusive", 0):
        first = x.narrow(place, 0, 1)
        x = torch.cat([torch.ones_like(first), x.narrow(place, 0, sizes(x)[place] - 1)], place)
    out = torch.cumprod(x, place).to(x.dtype)
    return out.flip(place) if node.get("reverse", 0) else out


@operator("NonMaxSuppression", numbers=(2, 3, 4))
def _boxes(node: Node, boxes: Tensor, scores: Tensor, *settings: Array | None) -> Tensor:
    """The boxes of each class that overlap none with a higher score, in rounds: the highest score, and what it hides.

    Args:
        boxes: [batch, n, 4]. scores: [batch, classes, n]. settings: the most boxes of a class (absent: none), the
            overlap from which on a box hides another (0), and the score that a box must exceed.

    Returns:
        int64 [found, 3]: batch, class and place of each.
    """
    most, overlap, least = (
        value.reshape(-1)[0].item() if value is not None and value.size else None
        for value in (*settings, None, None, None)[:3]
    )
    count = sizes(boxes)[1]
    rounds = min(most or 0, count) if isinstance(count, int) else most or 0
    if rounds > _MOST_ROUNDS:
        raise node.refusal(f"it chooses up to {rounds} boxes of a class, and {_MOST_ROUNDS} are the most")
    low, high = (corner.unsqueeze(1).expand(-1, sizes(scores)[1], -1, -1) for corner in _corners(node, boxes))
    left = scores if least is None else torch.where(scores > least, scores, -torch.inf)
    found, places = [scores[..., :0] > 0], [scores[..., :0].to(torch.int64)]
    for _ in range(rounds):
        place = torch.argmax(left, -1, keepdim=True)
        places.append(place)
        found.append(torch.gather(left, -1, place) > -torch.inf)
        own = place.unsqueeze(-1).expand(-1, -1, -1, 2)
        lowest, highest = torch.gather(low, 2, own), torch.gather(high, 2, own)
        shared = torch.prod(torch.relu(torch.minimum(high, highest) - torch.maximum(low, lowest)), -1)
        both = torch.prod(high - low, -1) + torch.prod(highest - lowest, -1) - shared
        left = torch.where(shared > both * (overlap or 0.0), -torch.inf, left).scatter(-1, place, -torch.inf)
    rows = torch.nonzero(torch.cat(found, -1))
    chosen = torch.cat(places, -1)[tuple(rows.unbind(1))]
    return torch.cat([rows[:, :2], chosen.unsqueeze(1)], 1)


def _corners(node: Node, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The lower and the upper corners of boxes, which come as two corners, or as centres and sizes."""
    first, second = boxes[..., :2], boxes[..., 2:]
    if node.get("center_point_box", 0):
        return first - second / 2, first + second / 2
    return torch.minimum(first, second), torch.maximum(first, second)
