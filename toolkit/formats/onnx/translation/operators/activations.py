"""Activations."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import sizes


@operator("PRelu")
def _prelu(_: Node, x: Tensor, slope: Tensor) -> Tensor:
    channels = slope.shape[0] if slope.dim() == x.dim() - 1 else 0
    if slope.numel() == 1 or (channels and sizes(x)[1] == channels and slope.numel() == channels):
        return F.prelu(x, slope.reshape(-1))
    return torch.where(x < 0, x * slope, x)


@operator("HardSigmoid")
def _hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(x)
    return torch.clamp(x * alpha + beta, 0.0, 1.0)


@operator("Shrink")
def _shrink(node: Node, x: Tensor) -> Tensor:
    bias, edge = node.get("bias", 0.0), node.get("lambd", 0.5)
    zero = torch.zeros_like(x)
    return torch.where(x < -edge, x + bias, torch.where(x > edge, x - bias, zero))


@operator("Swish")
def _swish(node: Node, x: Tensor) -> Tensor:
    alpha = node.get("alpha", 1.0)
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(x * alpha)


@operator("Softmax")
def _softmax(node: Node, x: Tensor) -> Tensor:
    def shares(data: Tensor, axis: int) -> Tensor:
        if data.dtype != torch.float16:
            return F.softmax(data, axis)
        # ONNX defines it in steps, and each is rounded to half precision.
        powers = torch.exp(data - torch.amax(data, axis, keepdim=True))
        return powers / torch.sum(powers, axis, keepdim=True)

    return _over_classes(node, x, shares)


@operator("LogSoftmax")
def _log_softmax(node: Node, x: Tensor) -> Tensor:
    return _over_classes(node, x, lambda data, axis: F.log_softmax(data, axis))


@operator("Hardmax")
def _hardmax(node: Node, x: Tensor) -> Tensor:
    def first_largest(data: Tensor, axis: int) -> Tensor:
        places = torch.arange(sizes(data)[axis]).reshape([-1] + [1] * (data.dim() - 1 - axis % data.dim()))
        return (torch.argmax(data, axis, keepdim=True) == places).to(data.dtype)

    return _over_classes(node, x, first_largest)


def _over_classes(node: Node, x: Tensor, compute: Any) -> Tensor:
    """Over an axis; before version 13 over that axis and all that follow, as one."""
    axis = node.get("axis", 1 if node.version < 13 else -1) % x.dim()
    if node.version >= 13 or axis == x.dim() - 1:
        out: Tensor = compute(x, axis)
        return out
    flat: Tensor = compute(x.flatten(axis), axis)
    return flat.reshape(sizes(x))
