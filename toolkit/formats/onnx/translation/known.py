"""Operators on numbers that are known: the arithmetic on shapes between a graph's tensors.

Arrays of dtype object hold symbols (sizes of dynamic axes) beside numbers; NumPy applies Python's operators to them.
"""

from __future__ import annotations

import math
import operator as python
from collections.abc import Callable
from typing import Any

import torch

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.arguments import axes_of, slices, split_lengths
from edgekit.formats.onnx.translation.registry import array_operator
from edgekit.formats.onnx.translation.values import DTYPES, numpy_dtype, same

Array = NDArray[Any]


def _symbolic(*arrays: Array) -> bool:
    return any(array.dtype == object for array in arrays)


def _divide_sizes(left: Any, right: Any) -> Any:
    """Sizes are divided as whole numbers are: towards zero."""
    if isinstance(left, (float, torch.SymFloat)) or isinstance(right, (float, torch.SymFloat)):
        return left / right
    if isinstance(left, int) and isinstance(right, int):
        return math.trunc(left / right) if left * right < 0 else left // right
    return left // right


def _divide(left: Array, right: Array) -> Array:
    if left.dtype.kind in "iu":
        return np.asarray(np.trunc(left / right) if (left * right < 0).any() else left // right, left.dtype)
    return np.asarray(left / right)


_BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "Add": (np.add, python.add),
    "Sub": (np.subtract, python.sub),
    "Mul": (np.multiply, python.mul),
    "Div": (_divide, _divide_sizes),
    "Mod": (np.mod, python.mod),
    "Min": (np.minimum, torch.sym_min),
    "Max": (np.maximum, torch.sym_max),
    "Equal": (np.equal, same),
    "Less": (np.less, python.lt),
    "Greater": (np.greater, python.gt),
    "LessOrEqual": (np.less_equal, python.le),
    "GreaterOrEqual": (np.greater_equal, python.ge),
    "And": (np.logical_and, lambda left, right: bool(left) and bool(right)),
    "Or": (np.logical_or, lambda left, right: bool(left) or bool(right)),
}


@array_operator(*_BINARY)
def _binary(node: Node, *arrays: Array) -> Array:
    plain, symbols = _BINARY[node.kind]
    out = arrays[0]
    if node.kind == "Mod" and node.get("fmod", 0):
        return np.asarray(np.fmod(*arrays))
    for array in arrays[1:]:
        if _symbolic(out, array):
            each = np.frompyfunc(symbols, 2, 1)
            out = np.asarray(each(out.astype(object), array.astype(object)), object)
        else:
            out = np.asarray(plain(out, array))
    if out.dtype == object and node.kind in ("Equal", "And", "Or"):
        return out.astype(bool)
    return out


_UNARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "Neg": (np.negative, python.neg),
    "Abs": (np.abs, abs),
    "Floor": (np.floor, math.floor),
    "Ceil": (np.ceil, math.ceil),
    "Sqrt": (np.sqrt, torch.sym_sqrt),
    "Not": (np.logical_not, torch.sym_not),
    "Reciprocal": (np.reciprocal, lambda value: 1.0 / value),
}


@array_operator(*_UNARY)
def _unary(node: Node, array: Array) -> Array:
    plain, symbols = _UNARY[node.kind]
    if _symbolic(array):
        return np.asarray(np.frompyfunc(symbols, 1, 1)(array), object)
    return np.asarray(plain(array), None if node.kind == "Not" else array.dtype)


def _whole(value: Any) -> Any:
    convert: Any = torch.sym_int
    return value if isinstance(value, torch.SymInt) else convert(value)


@array_operator("Cast")
def _cast(node: Node, array: Array) -> Array:
    dtype = DTYPES[node.get("to")]
    if _symbolic(array):
        if dtype.is_floating_point:
            return np.asarray(np.frompyfunc(torch.sym_float, 1, 1)(array), object)
        return np.asarray(np.frompyfunc(_whole, 1, 1)(array), object)
    return array.astype(numpy_dtype(dtype))


#: Those that are one call.
_PLAIN: dict[str, Callable[..., Any]] = {
    "Identity": lambda node, array: array,
    "Size": lambda node, array: np.asarray(array.size, np.int64),
    "Shape": lambda node, array: np.asarray(array.shape[node.get("start", 0) : node.get("end")], np.int64),
    "Gather": lambda node, array, indices: np.take(array, indices.astype(np.int64), axis=node.get("axis", 0)),
    "Transpose": lambda node, array: np.transpose(array, node.get("perm")),
    "NonZero": lambda node, array: np.asarray(np.nonzero(array), np.int64),
    "Pow": lambda node, base, exponent: np.asarray(base**exponent).astype(base.dtype),
}
for _kind, _compute in _PLAIN.items():
    array_operator(_kind)(_compute)


@array_operator("Concat")
def _concat(node: Node, *arrays: Array) -> Array:
    if _symbolic(*arrays):
        arrays = tuple(array.astype(object) for array in arrays)
    return np.concatenate(arrays, axis=node.get("axis", 0))


@array_operator("Slice", plain=(1, 2, 3, 4))
def _slice(node: Node, array: Array, *bounds: Array) -> Array:
    starts, ends, axes, steps = (list(part) for part in slices(node, array.ndim, *(b.tolist() for b in bounds)))
    where = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where[axis] = slice(start, None if step < 0 and end < -array.shape[axis] else end, step)
    return array[tuple(where)]


@array_operator("Unsqueeze")
def _unsqueeze(node: Node, array: Array, axes: Array | None = None) -> Array:
    places = axes_of(node, axes) or []
    return np.expand_dims(array, tuple(places))


@array_operator("Squeeze")
def _squeeze(node: Node, array: Array, axes: Array | None = None) -> Array:
    places = axes_of(node, axes)
    return np.squeeze(array, None if places is None else tuple(places))


@array_operator("Reshape", plain=(1,))
def _reshape(node: Node, array: Array, shape: Array) -> Array:
    wanted = [
        array.shape[place] if size == 0 and not node.get("allowzero", 0) else int(size)
        for place, size in enumerate(shape.tolist())
    ]
    return array.reshape(wanted)


@array_operator("Expand", plain=(1,))
def _expand(_: Node, array: Array, shape: Array) -> Array:
    return np.array(np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(map(int, shape)))))


@array_operator("Tile", plain=(1,))
def _tile(_: Node, array: Array, repeats: Array) -> Array:
    return np.tile(array, repeats.astype(np.int64))


@array_operator("Where")
def _where(_: Node, condition: Array, left: Array, right: Array) -> Array:
    if _symbolic(left, right):
        left, right = left.astype(object), right.astype(object)
    return np.where(condition.astype(bool), left, right)


@array_operator("Range", plain=(0, 1, 2))
def _range(_: Node, start: Array, limit: Array, delta: Array) -> Array:
    first, last, step = (value.reshape(-1)[0] for value in (start, limit, delta))
    count = max(int(np.ceil((last - first) / step)), 0)
    return np.asarray(first + np.arange(count, dtype=start.dtype) * step, start.dtype)


@array_operator("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def _reduce(node: Node, array: Array, axes: Array | None = None) -> Array:
    places = axes_of(node, axes)
    if places is None and node.get("noop_with_empty_axes", 0):
        return array
    axis = None if places is None else tuple(places)
    out = getattr(np, node.kind.removeprefix("Reduce").lower())(
        array, axis=axis, keepdims=bool(node.get("keepdims", 1))
    )
    return np.asarray(out, array.dtype)


@array_operator("Split")
def _split(node: Node, array: Array, split: Array | None = None) -> tuple[Array, ...]:
    lengths = split_lengths(node, array.shape[node.get("axis", 0)], split)
    return tuple(np.split(array, np.cumsum(lengths)[:-1], axis=node.get("axis", 0)))
