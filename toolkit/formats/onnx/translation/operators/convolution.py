"""Convolutions, and products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import sizes

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def explicit_pads(
    node: Node, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[Any]:
    """The padding of a window that moves over `x`: begins, then ends, of each axis."""
    rank = len(kernel)
    auto = node.get("auto_pad", "NOTSET")
    if auto == "VALID":
        return [0] * 2 * rank
    if auto == "NOTSET":
        return list(node.get("pads") or [0] * 2 * rank)
    begins, ends = [], []
    for size, width, stride, dilation in zip(sizes(x)[2:], kernel, strides, dilations, strict=True):
        reach = dilation * (width - 1) + 1
        if stride == 1:
            total: Any = reach - 1
        elif isinstance(size, int):
            total = max(((size + stride - 1) // stride - 1) * stride + reach - size, 0)
        else:
            raise node.refusal(f"with auto_pad {auto} and strides, its input needs sizes that are not dynamic")
        small, large = total // 2, total - total // 2
        begins.append(small if auto == "SAME_UPPER" else large)
        ends.append(large if auto == "SAME_UPPER" else small)
    return begins + ends


def symmetric(pads: Sequence[Any]) -> bool:
    """Whether each axis is padded alike at both ends, by nothing negative."""
    half = len(pads) // 2
    return list(pads[:half]) == list(pads[half:]) and all(isinstance(pad, int) and pad >= 0 for pad in pads)


def pad_last_axes(x: Tensor, pads: Sequence[Any], value: float = 0.0) -> Tensor:
    """`x` with its last axes padded: begins, then ends."""
    half = len(pads) // 2
    ordered = [pad for axis in reversed(range(half)) for pad in (pads[axis], pads[half + axis])]
    return F.pad(x, ordered, value=value) if any(ordered) else x


def _window(node: Node, weight: Tensor) -> tuple[list[Any], int, list[int], list[int]]:
    """Kernel, its number of axes, strides and dilations."""
    kernel = sizes(weight)[2:]
    rank = len(kernel)
    if rank not in _CONV:
        raise node.refusal(f"torch has no convolution over {rank} axes")
    return kernel, rank, node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank


@operator("Conv")
def _conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel, rank, strides, dilations = _window(node, weight)
    pads = explicit_pads(node, x, kernel, strides, dilations)
    if not symmetric(pads):
        x, pads = pad_last_axes(x, pads), [0] * 2 * rank
    return _CONV[rank](x, weight, bias, strides, pads[:rank], dilations, node.get("group", 1))


@operator("ConvTranspose")
def _conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel, rank, strides, dilations = _window(node, weight)
    extra = list(node.get("output_padding") or [0] * rank)
    pads = _transposed_pads(node, x, kernel, strides, dilations, extra)
    begins, ends = pads[:rank], pads[rank:]
    compute, group = _TRANSPOSED[rank], node.get("group", 1)
    # An end that is padded less than its begin is an output that goes on for longer.
    longer = [added + begin - end for added, begin, end in zip(extra, begins, ends, strict=True)]
    torch_takes = all(
        0 <= more < max(stride, dilation) for more, stride, dilation in zip(longer, strides, dilations, strict=True)
    )
    if min(begins) >= 0 and torch_takes:
        return compute(x, weight, bias, strides, begins, longer, group, dilations)
    whole = compute(x, weight, bias, strides, 0, 0, group, dilations)
    grown = [added - end for added, end in zip(extra, ends, strict=True)]
    # What lies beyond the last window is nothing but the bias.
    missing = [0] * rank + [max(more, 0) for more in grown] if min(begins) >= 0 else [-b for b in begins] + grown
    if max(missing) > 0:
        whole = compute(x, weight, None, strides, 0, 0, group, dilations)
        whole = pad_last_axes(whole, [max(pad, 0) for pad in missing])
        if bias is not None:
            whole = whole + bias.reshape([-1] + [1] * rank)
    for axis, (begin, more) in enumerate(zip(begins, grown, strict=True)):
        size = sizes(whole)[2 + axis]
        start, end = max(begin, 0), size + min(more, 0)
        if start > 0 or more < 0:
            whole = whole.narrow(2 + axis, start, end - start)
    return whole


def _transposed_pads(
    node: Node, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], extra: Sequence[int]
) -> list[int]:
    rank = len(kernel)
    auto, wanted = node.get("auto_pad", "NOTSET"), node.get("output_shape")
    if auto == "NOTSET" and not wanted:
        return list(node.get("pads") or [0] * 2 * rank)
    if auto == "VALID" and not wanted:
        return [0] * 2 * rank
    begins, ends = [], []
    for axis in range(rank):
        stride, size = strides[axis], sizes(x)[2 + axis]
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        if wanted:
            if not isinstance(size, int):
                raise node.refusal("with output_shape, its input needs sizes that are not dynamic")
            total = stride * (size - 1) + extra[axis] + reach - wanted[-rank:][axis]
        else:
            total = reach + extra[axis] - stride
        small, large = total // 2, total - total // 2
        begins.append(small if auto == "SAME_UPPER" else large)
        ends.append(large if auto == "SAME_UPPER" else small)
    return begins + ends


@operator("com.microsoft.FusedConv")
def _fused_conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None, added: Tensor | None = None) -> Any:
    out = _conv(node, x, weight, bias)
    if added is not None:
        out = out + added
    kinds = {"Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "": torch.positive}
    if node.get("activation", "") not in kinds:
        raise node.refusal(f"its activation {node.get('activation')} is not known")
    return kinds[node.get("activation", "")](out)


@operator("Gemm")
def _gemm(node: Node, left: Tensor, right: Tensor, added: Tensor | None = None) -> Tensor:
    left = left.t() if node.get("transA", 0) else left
    right = right.t() if node.get("transB", 0) else right
    out = _scale_tensor(torch.matmul(left, right), node.get("alpha", 1.0))
    return out if added is None else out + _scale_tensor(added, node.get("beta", 1.0))


def _scale_tensor(value: Tensor, factor: float) -> Tensor:
    return value if factor == 1 else value * factor


@operator("com.microsoft.FusedMatMul")
def _fused_matmul(node: Node, left: Tensor, right: Tensor) -> Any:
    if node.get("transBatchA", 0) or node.get("transBatchB", 0):
        raise node.refusal("it moves batch axes")
    left = left.transpose(-1, -2) if node.get("transA", 0) and left.dim() > 1 else left
    right = right.transpose(-1, -2) if node.get("transB", 0) and right.dim() > 1 else right
    return _scale_tensor(torch.matmul(left, right), node.get("alpha", 1.0))
