"""Reductions of axes to a number, and means over whole images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from edgekit.common.lazy import NDArray
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.arguments import axes_of
from edgekit.formats.onnx.translation.registry import operator

_REDUCED: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceL1": lambda x, axes, keep: torch.sum(torch.abs(x), axes, keep),
    "ReduceL2": lambda x, axes, keep: torch.sqrt(torch.sum(x * x, axes, keep)),
    "ReduceLogSum": lambda x, axes, keep: torch.log(torch.sum(x, axes, keep)),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keep),
    "ReduceMax": torch.amax,
    "ReduceMean": torch.mean,
    "ReduceMin": torch.amin,
    "ReduceProd": lambda x, axes, keep: _product(x, axes, keep),
    "ReduceSum": torch.sum,
    "ReduceSumSquare": lambda x, axes, keep: torch.sum(x * x, axes, keep),
}


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, axis, keep)
    return x


@operator(*_REDUCED, numbers=(1,))
def _reduce(node: Node, x: Tensor, axes: NDArray[Any] | None = None) -> Tensor:
    places = axes_of(node, axes)
    if not places:
        if node.get("noop_with_empty_axes", 0):
            return x
        places = list(range(x.dim()))
    if not places:
        return x
    out = _REDUCED[node.kind](x, places, bool(node.get("keepdims", 1)))
    return out.to(x.dtype)


@operator("GlobalLpPool")
def _global_lp(node: Node, x: Tensor) -> Tensor:
    p = node.get("p", 2)
    return torch.pow(torch.sum(torch.pow(torch.abs(x), p), list(range(2, x.dim())), keepdim=True), 1 / p)
