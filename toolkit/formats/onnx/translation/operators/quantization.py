"""Numbers on a grid: what a quantized network computes, in float between the grids."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import DTYPES


def _along(node: Node, x: Tensor, value: Tensor) -> Tensor:
    """Scales or zero points along an axis, in the shape of `x`."""
    if node.get("block_size", 0):
        return value.repeat_interleave(node.get("block_size"), node.get("axis", 1))
    if value.numel() == 1:
        return value.reshape(())
    shape = [1] * x.dim()
    shape[node.get("axis", 1)] = -1
    return value.reshape(shape)


@operator("DequantizeLinear")
def _dequantize(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    wide = x.to(scale.dtype)
    if zero is not None:
        wide = wide - _along(node, x, zero).to(scale.dtype)
    return wide * _along(node, x, scale)


@operator("MatMulInteger")
def _integer_product(_: Node, left: Tensor, right: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> Tensor:
    left, right = left.to(torch.int32), right.to(torch.int32)
    out: Tensor = torch.matmul(left if a is None else left - _rows(a), right if b is None else right - b)
    return out


@operator("QLinearMatMul")
def _quantized_product(
    node: Node, left: Tensor, s: Tensor, a: Tensor, right: Tensor, t: Tensor, b: Tensor, scale: Tensor, zero: Tensor
) -> Tensor:
    steps = torch.matmul(left.to(torch.float32) - _rows(a), right.to(torch.float32) - b)
    out: Tensor = _quantize(node, steps * (_rows(s) * t), scale, zero)
    return out


def _rows(value: Tensor) -> Tensor:
    """A number for each row of a matrix, as a column."""
    return value.unsqueeze(-1) if value.dim() == 1 and value.numel() > 1 else value


@operator("QuantizeLinear")
def _quantize(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    dtype = zero.dtype if zero is not None else DTYPES[node.get("output_dtype", 0) or 2]
    if dtype.is_floating_point:
        raise node.refusal("its numbers are of 8 bits with a point")
    limits: Any = torch.iinfo(dtype)
    grid = torch.round(x / _along(node, x, scale))
    if zero is not None:
        grid = grid + _along(node, x, zero).to(x.dtype)
    return torch.clamp(grid, limits.min, limits.max).to(dtype)
