"""Parts of a tensor by their places: slices, gathering, scattering."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.arguments import slices
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import Held, Value, constant_tensor, integers, sizes, to_tensor

Array = NDArray[Any]
#: More than any axis has: "to the end".
_END = 2**31


@operator("Slice", numbers=(1, 2, 3, 4))
def _slice(node: Node, x: Tensor, *bounds: Array | None) -> Tensor:
    lists = [None if bound is None else integers(bound) for bound in bounds]
    for start, end, axis, step in zip(*slices(node, x.dim(), *lists), strict=True):
        if step > 0:
            x = _forward(x, start, end, axis, step)
        else:
            size = sizes(x)[axis]
            last = size - 1 if isinstance(start, int) and start >= _END else start + size if _negative(start) else start
            last = min(last, size - 1)
            first = -1 if _negative(end) and end <= -_END else end + size if _negative(end) else end
            places = torch.arange(last, max(first, -1), step)
            x = x.flip(axis) if (step, last, first) == (-1, size - 1, -1) else x.index_select(axis, places)
    return x


def _negative(value: Any) -> bool:
    return isinstance(value, int) and value < 0


def _forward(x: Tensor, start: Any, end: Any, axis: int, step: int) -> Tensor:
    whole = isinstance(start, int) and start == 0 and isinstance(end, int) and end >= _END and step == 1
    if whole:
        return x
    where: list[Any] = [slice(None)] * x.dim()
    where[axis] = slice(start, None if isinstance(end, int) and end >= _END else end, step)
    return x[tuple(where)]


def _from_front(indices: Tensor, size: Any) -> Tensor:
    """Negative indices count from the end."""
    return torch.where(indices < 0, indices + size, indices)


@operator("Gather", raw=True)
def _gather(node: Node, data: Value, indices: Value) -> Tensor:
    x = to_tensor(data)
    if x.dtype == torch.bool:  # Core ML gathers numbers alone
        numbers: Tensor = _gather(node, x.to(torch.int32), indices)
        return numbers.to(torch.bool)
    axis = node.get("axis", 0) % x.dim()
    if isinstance(indices, Held) and not indices.symbolic:
        return _known_places(x, axis, indices)
    places = to_tensor(indices)
    # torch and the runtimes take whole numbers of 32 or 64 bits.
    places = _from_front(places if places.dtype == torch.int32 else places.to(torch.int64), sizes(x)[axis])
    if axis == 0 and x.dim() == 2 and isinstance(data, Held):
        return F.embedding(places, x)
    flat = torch.index_select(x, axis, places.reshape(-1))
    return flat.reshape([*sizes(x)[:axis], *sizes(places), *sizes(x)[axis + 1 :]])


def _known_places(x: Tensor, axis: int, indices: Held) -> Tensor:
    places = indices.array.astype(np.int64)
    if places.ndim == 0:
        return x.select(axis, int(places))
    size = sizes(x)[axis]
    if isinstance(size, int):
        places = np.where(places < 0, places + size, places)
    flat = places.reshape(-1)
    if flat.size and (flat >= 0).all() and (flat == flat[0] + np.arange(flat.size)).all():
        part = x.narrow(axis, int(flat[0]), flat.size)
    else:
        part = torch.index_select(
            x, axis, constant_tensor(flat) if (flat >= 0).all() else _from_front(constant_tensor(flat), size)
        )
    return part if places.ndim == 1 else part.reshape([*sizes(x)[:axis], *places.shape, *sizes(x)[axis + 1 :]])


@operator("GatherElements")
def _gather_elements(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.get("axis", 0)
    places = _from_front(indices.to(torch.int64), sizes(x)[axis])
    return torch.gather(x, axis, places)


@operator("GatherND")
def _gather_nd(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    batch = node.get("batch_dims", 0)
    depth, own = sizes(indices)[-1], sizes(x)
    if batch > 1:
        raise node.refusal("it has more than one batch axis")
    places = [_from_front(indices[..., place], own[batch + place]) for place in range(depth)]
    if batch:
        rows = torch.arange(own[0]).reshape([-1] + [1] * (places[0].dim() - 1))
        places = [rows.expand(sizes(places[0])), *places]
    return x[tuple(places)]


_REDUCTIONS = {"add": "sum", "mul": "prod", "min": "amin", "max": "amax"}


@operator("ScatterElements", "Scatter")
def _scatter_elements(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis, kind = node.get("axis", 0), node.get("reduction", "none")
    places = _from_front(indices.to(torch.int64), sizes(x)[axis])
    if kind == "none":
        return torch.scatter(x, axis, places, updates)
    return torch.scatter_reduce(x, axis, places, updates, _REDUCTIONS[kind], include_self=True)


@operator("ScatterND")
def _scatter_nd(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    depth, own, kind = sizes(indices)[-1], sizes(x), node.get("reduction", "none")
    if kind == "none" or kind == "add":
        places = tuple(_from_front(indices[..., place], own[place]) for place in range(depth))
        return torch.index_put(x, places, updates, accumulate=kind == "add")
    # The others by a single index into the axes that are indexed, flattened.
    flat: Any = 0
    for place in range(depth):
        flat = flat * own[place] + _from_front(indices[..., place], own[place])
    rest = own[depth:]
    target = x.reshape([-1, *rest])
    rows = flat.reshape([-1] + [1] * len(rest)).expand([-1, *rest])
    out = torch.scatter_reduce(target, 0, rows, updates.reshape([-1, *rest]), _REDUCTIONS[kind], include_self=True)
    return out.reshape(own)


@operator("OneHot", numbers=(1,))
def _one_hot(node: Node, indices: Tensor, depth: Array, values: Tensor) -> Tensor:
    count = integers(depth)[0]
    axis = node.get("axis", -1)
    axis = axis + indices.dim() + 1 if axis < 0 else axis
    places = _from_front(indices.to(torch.int64), count).unsqueeze(axis)
    shape = [1] * places.dim()
    shape[axis] = -1
    hot = places == torch.arange(count).reshape(shape)
    return torch.where(hot, values[1], values[0])


@operator("Compress", numbers=(1,))
def _compress(node: Node, x: Tensor, condition: Array) -> Tensor:
    places = constant_tensor(np.flatnonzero(condition))
    axis = node.get("axis")
    return x.reshape(-1).index_select(0, places) if axis is None else x.index_select(axis, places)


@operator("NonZero", numbers=(0,))
def _nonzero(_: Node, x: Array) -> Held:
    return Held(np.asarray(np.nonzero(x), np.int64))


@operator("Trilu", numbers=(1,))
def _trilu(node: Node, x: Tensor, k: Array | None = None) -> Tensor:
    diagonal = 0 if k is None else integers(k)[0]
    return torch.triu(x, diagonal) if node.get("upper", 1) else torch.tril(x, diagonal)


@operator("ReverseSequence", numbers=(1,))
def _reverse_sequence(node: Node, x: Tensor, lengths: Array) -> Tensor:
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    size = sizes(x)[time]
    rows = []
    for place, length in enumerate(integers(lengths)):
        row = x.narrow(batch, place, 1)
        head, tail = row.narrow(time, 0, length).flip(time), row.narrow(time, length, size - length)
        rows.append(torch.cat([head, tail], time))
    return torch.cat(rows, batch)
