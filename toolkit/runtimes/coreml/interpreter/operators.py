"""The operators of ML Programs: inputs by name -> value, in torch.

Names and meanings are those of coremltools' `mil.ops.defs`. Values come in the type that the program gives them;
results are computed in fp32 where they are fractions, and rounded by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgekit.common.lazy import F, torch
from edgekit.runtimes.coreml.interpreter.convolutions import CONVOLUTIONS
from edgekit.runtimes.coreml.interpreter.images import IMAGES
from edgekit.runtimes.coreml.interpreter.lists import LISTS
from edgekit.runtimes.coreml.interpreter.lookups import LOOKUPS
from edgekit.runtimes.coreml.interpreter.recurrent import RECURRENT
from edgekit.runtimes.coreml.interpreter.shapes import SHAPES, Operator, Values, ints, wide


def _pair(name: str) -> Operator:
    def apply_binary(v: Values) -> Any:
        x, y = (torch.as_tensor(wide(v[key])) for key in ("x", "y"))
        return getattr(torch, name)(x, y)

    return apply_binary


def _single(name: str) -> Operator:
    def apply_unary(v: Values) -> Any:
        return getattr(torch, name)(wide(v["x"]))

    return apply_unary


def _divide(v: Values) -> Any:
    x, y = torch.as_tensor(wide(v["x"])), torch.as_tensor(wide(v["y"]))
    return x / y if x.is_floating_point() or y.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


_REDUCED: Mapping[str, Callable[..., Any]] = {
    "l1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "l2": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep).sqrt(),
    "squares": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep),
    "log": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
}


def _reduce(name: str) -> Operator:
    def apply_reduction(v: Values) -> Any:
        x = wide(v["x"])
        axes = ints(v["axes"]) if v.get("axes") is not None else list(range(x.ndim))
        keep = bool(v.get("keep_dims", False))
        if name == "prod":
            for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
                x = x.prod(axis, keepdim=keep)
            return x
        return _REDUCED[name](x, axes, keep) if name in _REDUCED else getattr(torch, name)(x, dim=axes, keepdim=keep)

    return apply_reduction


def _linear(v: Values) -> Any:
    bias = None if v.get("bias") is None else wide(v["bias"])
    return F.linear(wide(v["x"]), wide(v["weight"]), bias)


def _matmul(v: Values) -> Any:
    x, y = wide(v["x"]), wide(v["y"])
    x = x.transpose(-1, -2) if v.get("transpose_x", False) else x
    y = y.transpose(-1, -2) if v.get("transpose_y", False) else y
    return x @ y


def _batch_norm(v: Values) -> Any:
    mean, variance, gamma, beta = (
        wide(v[key]) if v.get(key) is not None else None for key in ("mean", "variance", "gamma", "beta")
    )
    return F.batch_norm(wide(v["x"]), mean, variance, gamma, beta, eps=float(v.get("epsilon", 1e-5)))


def _layer_norm(v: Values) -> Any:
    x = wide(v["x"])
    axes = ints(v["axes"]) if v.get("axes") is not None else [-1]
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    out = (x - mean) * torch.rsqrt(variance + float(v.get("epsilon", 1e-5)))
    out = out if v.get("gamma") is None else out * wide(v["gamma"])
    return out if v.get("beta") is None else out + wide(v["beta"])


def _instance_norm(v: Values) -> Any:
    gamma, beta = (wide(v[key]) if v.get(key) is not None else None for key in ("gamma", "beta"))
    return F.instance_norm(wide(v["x"]), None, None, gamma, beta, eps=float(v.get("epsilon", 1e-5)))


def _l2_norm(v: Values) -> Any:
    x = wide(v["x"])
    return x / ((x * x).sum((-3, -2, -1), keepdim=True) + float(v.get("epsilon", 1e-6))).sqrt()


def _response_norm(v: Values) -> Any:
    alpha, beta, k = (float(v.get(key, default)) for key, default in (("alpha", 1e-4), ("beta", 0.75), ("k", 1.0)))
    return F.local_response_norm(wide(v["x"]), int(v["size"]), alpha, beta, k)


def _einsum(v: Values) -> Any:
    return torch.einsum(v["equation"], [wide(value) for value in v["values"]])


def _attention(v: Values) -> Any:
    mask = v.get("attn_mask")
    q, k, value = (wide(v[key]) for key in ("query", "key", "value"))
    return F.scaled_dot_product_attention(q, k, value, None if mask is None else wide(mask))


def _along(v: Values, value: Any) -> Any:
    """A scale or a zero point in the shape of what it scales."""
    value = torch.as_tensor(value)
    axis = int(v["axis"]) % v["input"].ndim if v.get("axis") is not None else 0
    return value.reshape(-1, *[1] * (v["input"].ndim - 1 - axis)) if value.ndim else value


def _quantize(v: Values) -> Any:
    least, most = (0, 255) if v["output_dtype"] == "uint8" else (-128, 127)
    zero = _along(v, v["zero_point"]).float() if v.get("zero_point") is not None else 0
    return ((wide(v["input"]) / _along(v, wide(v["scale"]))).round() + zero).clamp(least, most)


def _dequantize(v: Values) -> Any:
    zero = _along(v, v["zero_point"]).float() if v.get("zero_point") is not None else 0
    return (v["input"].float() - zero) * _along(v, wide(v["scale"]))


def _prelu(v: Values) -> Any:
    return F.prelu(wide(v["x"]), wide(v["alpha"]))


def _softplus(v: Values) -> Any:
    return F.softplus(wide(v["x"]))


def _softplus_parametric(v: Values) -> Any:
    x = wide(v["x"])
    alpha, beta = (wide(v[key]).reshape(-1, *[1] * (x.ndim - 2)) for key in ("alpha", "beta"))
    return alpha * F.softplus(beta * x)


def _elu(v: Values) -> Any:
    return F.elu(wide(v["x"]), float(v.get("alpha", 1.0)))


def _line(v: Values, alpha: float, beta: float) -> Any:
    return float(v.get("alpha", alpha)) * wide(v["x"]) + float(v.get("beta", beta))


def _gelu(v: Values) -> Any:
    x, mode = wide(v["x"]), v.get("mode", "EXACT")
    if mode == "SIGMOID_APPROXIMATION":
        return x * (1.702 * x).sigmoid()
    return F.gelu(x, approximate="none" if mode == "EXACT" else "tanh")


def _clip(v: Values) -> Any:
    return wide(v["x"]).clamp(float(v.get("alpha", 0.0)), float(v.get("beta", 1.0)))


def _log(v: Values) -> Any:
    return torch.log(wide(v["x"]) + float(v.get("epsilon", 1e-45)))


def _thresholded_relu(v: Values) -> Any:
    x = wide(v["x"])
    return torch.where(x >= float(v.get("alpha", 1.0)), x, torch.zeros_like(x))


def _leaky(v: Values) -> Any:
    return F.leaky_relu(wide(v["x"]), float(v.get("alpha", 0.01)))


_PAIRS = {
    "add": "add", "sub": "sub", "mul": "mul", "pow": "pow", "maximum": "maximum", "minimum": "minimum",
    "floor_div": "floor_divide", "mod": "remainder", "greater": "gt", "greater_equal": "ge", "less": "lt",
    "less_equal": "le", "equal": "eq", "not_equal": "ne", "logical_and": "logical_and", "logical_or": "logical_or",
    "logical_xor": "logical_xor",
}  # fmt: skip
_SINGLES = (
    "logical_not relu sigmoid tanh exp exp2 sqrt square abs erf floor ceil round sin cos tan asin acos atan sinh cosh "
    "atanh sign"
)
_MEANS = {
    "mean": "mean", "sum": "sum", "max": "amax", "min": "amin", "prod": "prod", "log_sum_exp": "logsumexp",
    "l1_norm": "l1", "l2_norm": "l2", "sum_square": "squares", "log_sum": "log",
}  # fmt: skip
OPERATORS: Mapping[str, Operator] = {
    **SHAPES, **LOOKUPS, **IMAGES, **CONVOLUTIONS, **RECURRENT, **LISTS,
    **{name: _pair(function) for name, function in _PAIRS.items()},
    **{name: _single(name) for name in _SINGLES.split()},
    **{f"reduce_{name}": _reduce(function) for name, function in _MEANS.items()},
    "real_div": _divide, "relu6": lambda v: wide(v["x"]).clamp(0, 6),
    "silu": lambda v: wide(v["x"]) * wide(v["x"]).sigmoid(),
    "sigmoid_hard": lambda v: _line(v, 0.2, 0.5).clamp(0, 1), "linear_activation": lambda v: _line(v, 1.0, 0.0),
    "scaled_tanh": lambda v: float(v.get("alpha", 1)) * (float(v.get("beta", 1)) * wide(v["x"])).tanh(),
    "softmax": lambda v: wide(v["x"]).softmax(int(v.get("axis", -1))),
    "softsign": lambda v: wide(v["x"]) / (1 + wide(v["x"]).abs()), "softplus": _softplus,
    "softplus_parametric": _softplus_parametric, "elu": _elu, "prelu": _prelu,
    "threshold": lambda v: wide(v["x"]).clamp(min=float(v.get("alpha", 1.0))),
    "clamped_relu": lambda v: _leaky(v).clamp(max=float(v.get("beta", 1.0))),
    "inverse": lambda v: 1 / (wide(v["x"]) + float(v.get("epsilon", 1e-4))),
    "rsqrt": lambda v: (wide(v["x"]) + float(v.get("epsilon", 1e-12))).rsqrt(),
    "gelu": _gelu, "clip": _clip, "log": _log, "thresholded_relu": _thresholded_relu, "leaky_relu": _leaky,
    "linear": _linear, "matmul": _matmul, "einsum": _einsum, "scaled_dot_product_attention": _attention,
    "batch_norm": _batch_norm, "layer_norm": _layer_norm, "instance_norm": _instance_norm, "l2_norm": _l2_norm,
    "local_response_norm": _response_norm, "quantize": _quantize, "dequantize": _dequantize,
}  # fmt: skip
