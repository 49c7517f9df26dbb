"""Pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.operators.convolution import explicit_pads, pad_last_axes, symmetric
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import sizes

_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _window(node: Node, x: Tensor) -> tuple[list[int], list[int], list[int], list[Any]]:
    """Kernel, strides, dilations and padding; what rounding up adds is padding at the ends."""
    kernel = list(node.get("kernel_shape"))
    rank = len(kernel)
    strides, dilations = list(node.get("strides") or [1] * rank), list(node.get("dilations") or [1] * rank)
    if rank not in _MAX:
        raise node.refusal(f"torch has no pooling over {rank} axes")
    return kernel, strides, dilations, explicit_pads(node, x, kernel, strides, dilations)


def _rounded_up(
    node: Node, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Sequence[Any]
) -> list[int]:
    """How much further the ends of each axis are padded where the number of windows is rounded up. A window that would
    begin in this padding is left out."""
    rank = len(kernel)
    if not node.get("ceil_mode", 0):
        return [0] * rank
    out = []
    for axis, size in enumerate(sizes(x)[2:]):
        if not isinstance(size, int):
            raise node.refusal("with ceil_mode and uneven padding, its input needs sizes that are not dynamic")
        whole = size + pads[axis] + pads[rank + axis]
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        count = math.ceil((whole - reach) / strides[axis]) + 1
        if (count - 1) * strides[axis] >= size + pads[axis]:
            count -= 1
        out.append(max((count - 1) * strides[axis] + reach - whole, 0))
    return out


@operator("MaxPool")
def _max_pool(node: Node, x: Tensor) -> Tensor:
    kernel, strides, dilations, pads = _window(node, x)
    rank = len(kernel)
    if len(node.outputs) > 1 and node.outputs[1]:
        raise node.refusal("its output with the places of the largest values is not computed")
    if x.dtype in (torch.int8, torch.uint8):
        out: Tensor = _max_pool(node, x.to(torch.float32)).to(x.dtype)
        return out
    small = all(2 * pad <= width for pad, width in zip(pads, kernel * 2, strict=True))
    if symmetric(pads) and small:
        return _MAX[rank](x, kernel, strides, pads[:rank], dilations, bool(node.get("ceil_mode", 0)))
    more = _rounded_up(node, x, kernel, strides, dilations, pads)
    ends = [pad + added for pad, added in zip(pads[rank:], more, strict=True)]
    lowest = torch.finfo(x.dtype).min if x.dtype.is_floating_point else torch.iinfo(x.dtype).min
    return _MAX[rank](pad_last_axes(x, pads[:rank] + ends, lowest), kernel, strides, 0, dilations)


@operator("AveragePool")
def _average_pool(node: Node, x: Tensor) -> Tensor:
    kernel, strides, dilations, pads = _window(node, x)
    rank = len(kernel)
    counted, up = bool(node.get("count_include_pad", 0)), bool(node.get("ceil_mode", 0))
    small = all(2 * pad <= width for pad, width in zip(pads, kernel * 2, strict=True))
    if set(dilations) == {1} and symmetric(pads) and small:
        return _AVERAGE[rank](x, kernel, strides, pads[:rank], up, counted)
    more = _rounded_up(node, x, kernel, strides, dilations, pads)
    total = _sums(node, pad_last_axes(pad_last_axes(x, pads), [0] * rank + more), kernel, strides, dilations)
    # The divisor of each window: how many of its elements count.
    ones = torch.ones([1, 1, *sizes(x)[2:]], dtype=x.dtype)
    ones = pad_last_axes(pad_last_axes(ones, pads, 1.0 if counted else 0.0), [0] * rank + more)
    return total / _sums(node, ones, kernel, strides, dilations)


def _sums(node: Node, x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]) -> Tensor:
    """The sum of each window."""
    rank = len(kernel)
    if set(dilations) == {1}:
        return _AVERAGE[rank](x, kernel, strides) * math.prod(kernel)
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    channels = sizes(x)[1]
    if not isinstance(channels, int):
        raise node.refusal("with dilations, its input needs a number of channels that is not dynamic")
    ones = torch.ones([channels, 1, *kernel], dtype=x.dtype)
    return convolve(x, ones, None, strides, 0, dilations, channels)


@operator("LpPool")
def _lp_pool(node: Node, x: Tensor) -> Tensor:
    kernel, strides, dilations, pads = _window(node, x)
    p = node.get("p", 2)
    more = _rounded_up(node, x, kernel, strides, dilations, pads)
    powers = pad_last_axes(pad_last_axes(torch.pow(torch.abs(x), p), pads), [0] * len(kernel) + more)
    return torch.pow(_sums(node, powers, kernel, strides, dilations), 1 / p)
