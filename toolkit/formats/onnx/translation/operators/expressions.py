"""Operators that are one expression of torch, by name: of the inputs alone, or of the node's attributes too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F

from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import hold_numbers, sizes

#: What torch calls by the same name, in small letters.
_SAME_NAME = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "IsNaN"),
    *("Log", "MatMul", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "Tanh"),
    "Where",
)
#: Inputs -> output.
_OF_INPUTS: Mapping[str, Callable[..., Any]] = {
    **{kind: getattr(torch, kind.lower()) for kind in _SAME_NAME},
    "And": torch.logical_and,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseNot": torch.bitwise_not,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
    "Det": torch.linalg.det,
    "GlobalAveragePool": lambda x: torch.mean(x, list(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda x: torch.amax(x, list(range(2, x.dim())), keepdim=True),
    "HardSwish": F.hardswish,
    "Identity": lambda x: x,
    "Mean": lambda *values: reduce(torch.add, values) / len(values),
    "Mish": F.mish,
    "Not": torch.logical_not,
    "Or": torch.logical_or,
    "Size": lambda x: hold_numbers(math.prod(sizes(x))),
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Sum": lambda *values: reduce(torch.add, values),
    "Xor": torch.logical_xor,
    "com.microsoft.BiasGelu": lambda x, bias: F.gelu(x + bias),
    "com.microsoft.FastGelu": lambda x, bias=None: F.gelu(x if bias is None else x + bias, approximate="tanh"),
    "com.microsoft.Gelu": F.gelu,
    "edgekit.Linear": F.linear,  # what `fusion` makes of a product with a constant matrix
}
#: (node, *inputs) -> output.
_OF_NODE: Mapping[str, Callable[..., Any]] = {
    "Celu": lambda node, x: F.celu(x, node.get("alpha", 1.0)),
    "Concat": lambda node, *values: torch.cat(values, node.get("axis", 1)),
    "Einsum": lambda node, *values: torch.einsum(node.get("equation").replace(" ", ""), *values),
    "Elu": lambda node, x: F.elu(x, node.get("alpha", 1.0)),
    "Gelu": lambda node, x: F.gelu(x, approximate=node.get("approximate", "none")),
    "InstanceNormalization": lambda node, x, scale, bias: F.instance_norm(
        x, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5)
    ),
    "LeakyRelu": lambda node, x: F.leaky_relu(x, node.get("alpha", 0.01)),
    "LpNormalization": lambda node, x: F.normalize(x, node.get("p", 2), node.get("axis", -1)),
    "Mod": lambda node, left, right: (torch.fmod if node.get("fmod", 0) else torch.remainder)(left, right),
    "Selu": lambda node, x: (
        F.elu(x, node.get("alpha", 1.67326319217681884765625)) * node.get("gamma", 1.05070102214813232421875)
    ),
    "Shape": lambda node, x: hold_numbers(sizes(x)[node.get("start", 0) : node.get("end")]),
    "ThresholdedRelu": lambda node, x: F.threshold(x, node.get("alpha", 1.0), 0.0),
    "Transpose": lambda node, x: x.permute(node.get("perm") or list(reversed(range(x.dim())))),
    "com.microsoft.QuickGelu": lambda node, x: x * torch.sigmoid(x * node.get("alpha", 1.702)),
}


@operator(*_OF_INPUTS, *_OF_NODE)
def _expression(node: Any, *values: Any) -> Any:
    compute = _OF_INPUTS.get(node.kind)
    return compute(*values) if compute else _OF_NODE[node.kind](node, *values)
