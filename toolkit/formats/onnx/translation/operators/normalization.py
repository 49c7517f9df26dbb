"""Normalization by means and variances."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import sizes


@operator("BatchNormalization")
def _batch(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    if node.get("training_mode", 0):
        raise node.refusal("it is in training mode; export the network for inference")
    return F.batch_norm(x, mean, variance, scale, bias, training=False, eps=node.get("epsilon", 1e-5))


@operator("LayerNormalization")
def _layer(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    axis, eps = node.get("axis", -1) % x.dim(), node.get("epsilon", 1e-5)
    if any(node.outputs[1:]):
        return _layer_in_full(x, axis, eps, scale, bias)
    shape = sizes(x)[axis:]
    if list(scale.shape) == shape and (bias is None or list(bias.shape) == shape):
        return F.layer_norm(x, shape, scale, bias, eps)
    out = F.layer_norm(x, shape, None, None, eps) * scale
    return out if bias is None else out + bias


def _layer_in_full(x: Tensor, axis: int, eps: float, scale: Tensor, bias: Tensor | None) -> tuple[Tensor, ...]:
    """With the mean, and the inverse of the deviation."""
    axes = list(range(axis, x.dim()))
    mean = torch.mean(x, axes, keepdim=True)
    inverse = torch.rsqrt(torch.mean((x - mean) * (x - mean), axes, keepdim=True) + eps)
    out = (x - mean) * inverse * scale
    return out if bias is None else out + bias, mean, inverse


@operator("SimplifiedLayerNormalization", "RMSNormalization")
def _rms(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    _one_output(node)
    axis = node.get("axis", -1) % x.dim()
    mean = torch.mean(x * x, list(range(axis, x.dim())), keepdim=True)
    return x * torch.rsqrt(mean + node.get("epsilon", 1e-5)) * scale


@operator("com.microsoft.SkipLayerNormalization")
def _skip_layer(
    node: Node, x: Tensor, skip: Tensor, scale: Tensor, bias: Tensor | None = None, more: Tensor | None = None
) -> tuple[Tensor | None, ...]:
    total = x + skip if more is None else x + skip + more
    out = F.layer_norm(total, sizes(total)[-1:], scale, bias, node.get("epsilon", 1e-12))
    return out, None, None, total


@operator("GroupNormalization")
def _group(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups, channels = node.get("num_groups"), sizes(x)[1]
    if node.version < 21 and sizes(scale)[0] == groups and groups != channels:  # a number for each group then
        scale, bias = (value.repeat_interleave(channels // groups) for value in (scale, bias))
    return F.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


@operator("LRN")
def _local_response(node: Node, x: Tensor) -> Tensor:
    size, alpha, beta = node.get("size"), node.get("alpha", 1e-4), node.get("beta", 0.75)
    # Windows of an even size reach further to the end.
    squares = (x * x).unsqueeze(1)
    edge = [0, 0] * (x.dim() - 2) + [(size - 1) // 2, size // 2]
    flat = F.pad(squares, edge).flatten(3)
    mean = F.avg_pool2d(flat, (size, 1), stride=1).reshape(sizes(x))
    return x / torch.pow(mean * alpha + node.get("bias", 1.0), beta)


@operator("MeanVarianceNormalization")
def _mean_variance(node: Node, x: Tensor) -> Tensor:
    axes = list(node.get("axes") or [0, 2, 3])
    centred = x - torch.mean(x, axes, keepdim=True)
    return centred / (torch.sqrt(torch.mean(centred * centred, axes, keepdim=True)) + 1e-9)


def _one_output(node: Node) -> None:
    if any(node.outputs[1:]):
        raise node.refusal("its outputs of mean and deviation are not computed")
