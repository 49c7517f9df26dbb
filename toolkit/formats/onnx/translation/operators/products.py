"""Products of matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.registry import operator


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
