"""Arithmetic, comparisons and logic on each element, and casts."""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from edgekit.common.lazy import np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import DTYPES, Held, Value, dtype_of, numpy_dtype, to_tensor

#: Those of two numbers that Python has a sign for; either may be a plain number.
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": python.add,
    "Equal": python.eq,
    "Greater": python.gt,
    "GreaterOrEqual": python.ge,
    "Less": python.lt,
    "LessOrEqual": python.le,
    "Mul": python.mul,
    "Sub": python.sub,
}


@operator(*_SIGNS, scalars=True)
def _sign(node: Node, left: Any, right: Any) -> Any:
    return _SIGNS[node.kind](left, right)


@operator("Dropout", numbers=(1, 2))
def _dropout(node: Node, x: Tensor, _: Any = None, training: Any = None) -> tuple[Tensor, Tensor]:
    if training is not None and training.any():
        raise node.refusal("it is in training mode; export the network for inference")
    return x, torch.ones_like(x, dtype=torch.bool)


@operator("Div", scalars=True)
def _div(_: Node, left: Any, right: Any) -> Any:
    tensor = left if isinstance(left, Tensor) else right
    if tensor.dtype.is_floating_point:
        return left / right
    if not isinstance(left, Tensor):
        left = torch.full_like(tensor, left)
    return torch.div(left, right, rounding_mode="trunc")


@operator("Pow", scalars=True)
def _pow(_: Node, base: Any, exponent: Any) -> Any:
    if not isinstance(base, Tensor):
        return torch.pow(torch.full_like(exponent, base), exponent)
    if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) <= 4:
        exponent = int(exponent)
    return torch.pow(base, exponent).to(base.dtype)


@operator("Min", "Max", scalars=True)
def _extreme(node: Node, *values: Any) -> Any:
    pick, bound = (torch.minimum, "max") if node.kind == "Min" else (torch.maximum, "min")

    def farther(left: Tensor, right: Any) -> Tensor:
        return pick(left, right) if isinstance(right, Tensor) else torch.clamp(left, **{bound: right})

    return reduce(farther, sorted(values, key=lambda value: not isinstance(value, Tensor)))


@operator("Clip", raw=True)
def _clip(node: Node, x: Value, low: Value | None = None, high: Value | None = None) -> Tensor:
    data = to_tensor(x)
    least, most = _bound(node, low, "min"), _bound(node, high, "max")
    if (least, most) == (0, 6):
        return torch.nn.functional.relu6(data)
    if isinstance(least, Tensor):
        data, least = torch.maximum(data, least), None
    if isinstance(most, Tensor):
        data, most = torch.minimum(data, most), None
    if (least, most) == (0, None):
        return torch.relu(data)
    return data if least is None and most is None else torch.clamp(data, least, most)


def _bound(node: Node, value: Value | None, name: str) -> Any:
    if value is None:
        bound = node.get(name)
    elif isinstance(value, Tensor):
        return value
    else:
        bound = value.array.reshape(-1)[0]
    if isinstance(bound, np.generic):
        bound = bound.item()
    limit = float(np.finfo(np.float32).max)
    return None if bound is None or (isinstance(bound, float) and abs(bound) >= limit) else bound


@operator("Cast")
def _cast(node: Node, x: Tensor) -> Tensor:
    if node.get("to") not in DTYPES:
        raise node.refusal(f"torch has no dtype for ONNX's number {node.get('to')}")
    return x.to(DTYPES[node.get("to")])


@operator("CastLike", raw=True)
def _cast_like(_: Node, x: Value, like: Value) -> Value:
    if isinstance(x, Held) and not x.symbolic:
        return Held(x.array.astype(numpy_dtype(dtype_of(like))))
    return to_tensor(x).to(dtype_of(like))


@operator("BitCast")
def _bit_cast(node: Node, x: Tensor) -> Tensor:
    if node.get("to") not in DTYPES:
        raise node.refusal(f"torch has no dtype for ONNX's number {node.get('to')}")
    return x.view(DTYPES[node.get("to")])


@operator("IsInf")
def _is_inf(node: Node, x: Tensor) -> Tensor:
    out = torch.isinf(x)
    if not node.get("detect_negative", 1):
        out = torch.logical_and(out, x > 0)
    return out if node.get("detect_positive", 1) else torch.logical_and(out, x < 0)


@operator("BitShift")
def _bit_shift(node: Node, x: Tensor, bits: Tensor) -> Tensor:
    # torch shifts signed numbers alone.
    wide, by = x.to(torch.int64), bits.to(torch.int64)
    out = torch.bitwise_left_shift(wide, by) if node.get("direction") == "LEFT" else torch.bitwise_right_shift(wide, by)
    return out.to(x.dtype)
