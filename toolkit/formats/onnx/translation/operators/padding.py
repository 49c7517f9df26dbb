"""Padding."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import Value, constant_tensor, integers, sizes, to_tensor

Array = NDArray[Any]
_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operator("Pad", raw=True)
def _pad(
    node: Node, data: Value, pads: Value | None = None, value: Value | None = None, axes: Value | None = None
) -> Tensor:
    x = to_tensor(data)
    mode = node.get("mode", "constant")
    begins, ends = _widths(node, x.dim(), pads, axes)
    if mode == "constant":
        ordered = [width for axis in reversed(range(x.dim())) for width in (begins[axis], ends[axis])]
        while len(ordered) > 2 and ordered[-2:] == [0, 0]:
            ordered = ordered[:-2]
        return F.pad(x, ordered, value=_filling(node, value))
    if mode not in _MODES:
        raise node.refusal(f"its mode {mode!r} is not known")
    return _pad_by_mode(node, x, mode, begins, ends)


def _widths(node: Node, rank: int, pads: Value | None, axes: Value | None) -> tuple[list[Any], list[Any]]:
    """How wide every axis is padded, before and after."""
    if isinstance(pads, Tensor) or isinstance(axes, Tensor):
        raise node.refusal("how wide it pads depends on the data")
    widths = list(node.get("pads", ())) if pads is None else integers(pads.array)
    places = list(range(rank)) if axes is None else [axis % rank for axis in integers(axes.array)]
    begins, ends = [0] * rank, [0] * rank
    for place, axis in enumerate(places):
        begins[axis], ends[axis] = widths[place], widths[len(places) + place]
    return begins, ends


def _filling(node: Node, value: Value | None) -> Any:
    if isinstance(value, Tensor):
        raise node.refusal("what it pads with depends on the data")
    if value is None or not value.array.size:
        return node.get("value", 0.0)
    return value.array.reshape(-1)[0].item()


def _pad_by_mode(node: Node, x: Tensor, mode: str, begins: list[Any], ends: list[Any]) -> Tensor:
    """Padded with what the tensor holds itself."""
    axes = [axis for axis in range(x.dim()) if begins[axis] or ends[axis]]
    if not axes:
        return x
    first = min(axes)
    depth = x.dim() - first
    fits = mode != "wrap" and depth <= 2 and x.dim() in (depth + 1, depth + 2)
    if fits and all(isinstance(width, int) and width >= 0 for width in (*begins, *ends)):
        ordered = [width for axis in reversed(range(first, x.dim())) for width in (begins[axis], ends[axis])]
        batched = x.dim() == depth + 2  # litert-torch fails on pictures without a batch
        out = F.pad(x if batched else x.unsqueeze(0), ordered, mode=_MODES[mode])
        return out if batched else out.squeeze(0)
    for axis in axes:
        size = sizes(x)[axis]
        if not isinstance(size, int):
            raise node.refusal(f"with the mode {mode!r} it needs an axis whose size is not dynamic")
        x = torch.index_select(x, axis, constant_tensor(_places(size, begins[axis], ends[axis], mode)))
    return x


def _places(size: int, begin: int, end: int, mode: str) -> Array:
    modes: Any = mode
    places = np.pad(np.arange(size), (max(begin, 0), max(end, 0)), mode=modes)
    return np.array(places[max(-begin, 0) : len(places) - max(-end, 0)])


@operator("CenterCropPad", numbers=(1,))
def _center_crop_pad(node: Node, x: Tensor, shape: Array) -> Tensor:
    axes = node.get("axes") or list(range(x.dim()))
    for axis, wanted in zip(axes, integers(shape), strict=True):
        size = sizes(x)[axis]
        if wanted < size:
            x = x.narrow(axis, (size - wanted) // 2, wanted)
        elif wanted > size:
            before = (wanted - size) // 2
            place = x.dim() - 1 - axis % x.dim()
            x = F.pad(x, [0, 0] * place + [before, wanted - size - before])
    return x
