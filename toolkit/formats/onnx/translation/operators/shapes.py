"""Shapes, and what changes a tensor's shape and no value of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.arguments import axes_of, split_lengths
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import (
    DTYPES,
    Held,
    integers,
    is_one,
    same,
    sizes,
    torch_dtype,
)

Array = NDArray[Any]


@operator("Reshape", numbers=(1,))
def _reshape(node: Node, x: Tensor, shape: Array | None = None) -> Tensor:
    wanted = list(node.get("shape", ())) if shape is None else integers(shape)
    if not node.get("allowzero", 0):
        wanted = [sizes(x)[place] if isinstance(size, int) and size == 0 else size for place, size in enumerate(wanted)]
    return x.reshape(wanted)


@operator("Flatten")
def _flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.get("axis", 1)
    shape = sizes(x)
    axis = axis + len(shape) if axis < 0 else axis
    if axis == 0:
        return x.reshape(1, -1)
    return x.reshape(shape[0] if axis == 1 else math.prod(shape[:axis]), -1)


@operator("Squeeze", numbers=(1,))
def _squeeze(node: Node, x: Tensor, axes: Array | None = None) -> Tensor:
    places = axes_of(node, axes)
    if places is None:
        places = [place for place, size in enumerate(sizes(x)) if is_one(size)]
    keep = [size for place, size in enumerate(sizes(x)) if place not in {axis % x.dim() for axis in places}]
    return torch.squeeze(x, tuple(places)) if len(keep) < x.dim() else x


@operator("Unsqueeze", numbers=(1,))
def _unsqueeze(node: Node, x: Tensor, axes: Array | None = None) -> Tensor:
    places = axes_of(node, axes) or []
    rank = x.dim() + len(places)
    for axis in sorted(axis % rank for axis in places):
        x = x.unsqueeze(axis)
    return x


@operator("Split", numbers=(1,))
def _split(node: Node, x: Tensor, split: Array | None = None) -> tuple[Tensor, ...]:
    axis = node.get("axis", 0)
    return torch.split(x, split_lengths(node, sizes(x)[axis], split), axis)


@operator("Expand", numbers=(1,))
def _expand(_: Node, x: Tensor, shape: Array) -> Tensor:
    wanted = integers(shape)
    own = sizes(x)
    rank = max(len(own), len(wanted))
    wanted = [1] * (rank - len(wanted)) + wanted
    own = [1] * (rank - len(own)) + own
    target = [have if is_one(want) or same(have, want) else want for have, want in zip(own, wanted, strict=True)]
    return x.expand(target)


@operator("Tile", numbers=(1,))
def _tile(_: Node, x: Tensor, repeats: Array) -> Tensor:
    times = integers(repeats)
    return x if all(is_one(count) for count in times) else x.repeat(times)


@operator("ConstantOfShape", numbers=(0,))
def _constant_of_shape(node: Node, shape: Array) -> Tensor | Held:
    value = np.asarray(node.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    wanted = integers(shape)
    if all(isinstance(size, int) for size in wanted) and math.prod(wanted) <= 1024:
        return Held(np.full(wanted, value))
    return torch.full(wanted, value.item(), dtype=torch_dtype(value.dtype))


@operator("Range", numbers=(0, 1, 2))
def _range(_: Node, start: Array, limit: Array, delta: Array) -> Tensor:
    first, last, step = (value.reshape(-1)[0] for value in (start, limit, delta))
    first, last, step = (value.item() if isinstance(value, np.generic) else value for value in (first, last, step))
    dtype = torch.int64 if start.dtype == object else torch_dtype(start.dtype)
    return torch.arange(first, last, step, dtype=dtype)


@operator("EyeLike")
def _eye_like(node: Node, x: Tensor) -> Tensor:
    rows, columns = sizes(x)
    dtype = DTYPES[node.get("dtype")] if node.get("dtype") else x.dtype
    places = torch.arange(columns).unsqueeze(0) - torch.arange(rows).unsqueeze(1)
    out: Tensor = (places == node.get("k", 0)).to(dtype)
    return out


@operator("DepthToSpace")
def _depth_to_space(node: Node, x: Tensor) -> Tensor:
    batch, channels, height, width = sizes(x)
    block = node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return torch.nn.functional.pixel_shuffle(x, block)
    split = x.reshape(batch, block, block, channels // block**2, height, width)
    moved = split.permute(0, 3, 4, 1, 5, 2)
    return moved.reshape(batch, channels // block**2, height * block, width * block)


@operator("SpaceToDepth")
def _space_to_depth(node: Node, x: Tensor) -> Tensor:
    batch, channels, height, width = sizes(x)
    block = node.get("blocksize")
    split = x.reshape(batch, channels, height // block, block, width // block, block)
    moved = split.permute(0, 1, 3, 5, 2, 4) if node.get("mode", "DCR") == "CRD" else split.permute(0, 3, 5, 1, 2, 4)
    return moved.reshape(batch, channels * block**2, height // block, width // block)
