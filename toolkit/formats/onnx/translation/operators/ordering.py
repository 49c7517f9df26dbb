"""Order along an axis: the largest, cumulative sums."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import integers, sizes

__all__: list[str] = []

Array = NDArray[Any]


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
    values, places = torch.topk(
        x, count, node.get("axis", -1), bool(node.get("largest", 1)), bool(node.get("sorted", 1))
    )
    return values, places


@operator("CumSum", numbers=(1,))
def _cumulative_sum(node: Node, x: Tensor, axis: Array) -> Tensor:
    place = integers(axis)[0]
    if node.get("reverse", 0):
        x = x.flip(place)
    out = torch.cumsum(x, place).to(x.dtype)
    if node.get("exclusive", 0):
        out = out - x
    return out.flip(place) if node.get("reverse", 0) else out
