"""The operators of ML Programs that our parts are made of: inputs by name -> value, in torch.

Names and meanings are those of coremltools' `mil.ops.defs`. Values come in the type that the program gives them;
results are computed in fp32 where they are fractions, and rounded by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.exporters.coreml.interpreter.shapes import SHAPES, Operator, Values, ints, wide

__all__ = ["OPERATORS"]


def _pair(name: str) -> Operator:
    def apply(v: Values) -> Any:
        import torch

        x, y = (torch.as_tensor(wide(v[key])) for key in ("x", "y"))
        return getattr(torch, name)(x, y)

    return apply


def _single(name: str) -> Operator:
    def apply(v: Values) -> Any:
        import torch

        return getattr(torch, name)(wide(v["x"]))

    return apply


def _divided(v: Values) -> Any:
    import torch

    x, y = torch.as_tensor(wide(v["x"])), torch.as_tensor(wide(v["y"]))
    return x / y if x.is_floating_point() or y.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _reduced(name: str) -> Operator:
    def apply(v: Values) -> Any:
        import torch

        x = wide(v["x"])
        axes = ints(v["axes"]) if v.get("axes") is not None else list(range(x.ndim))
        keep = bool(v.get("keep_dims", False))
        if name == "l2":
            return torch.sqrt((x * x).sum(axes, keepdim=keep))
        return getattr(torch, name)(x, dim=axes, keepdim=keep)

    return apply


def _sides(v: Values, kernel: list[int], strides: list[int], dilations: list[int], sizes: list[int]) -> list[int]:
    """Padding of a convolution or a pool: before and after, for every axis of space."""
    kind = v.get("pad_type", "valid")
    if kind == "custom":
        return ints(v["pad"])
    sides = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        whole = max(0, (-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size) if "same" in kind else 0
        small, large = whole // 2, whole - whole // 2
        sides += [large, small] if kind == "same_lower" else [small, large]
    return sides


def _conv(v: Values) -> Any:
    import torch.nn.functional as F

    x, weight = wide(v["x"]), wide(v["weight"])
    space = weight.ndim - 2
    strides = ints(v["strides"]) if v.get("strides") is not None else [1] * space
    dilations = ints(v["dilations"]) if v.get("dilations") is not None else [1] * space
    sides = _sides(v, list(weight.shape[2:]), strides, dilations, list(x.shape[2:]))
    x = F.pad(x, [sides[2 * axis + end] for axis in reversed(range(space)) for end in (0, 1)])
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[space]
    bias = None if v.get("bias") is None else wide(v["bias"])
    return function(x, weight, bias, strides, 0, dilations, int(v.get("groups", 1)))


def _pool(kind: str) -> Operator:
    def apply(v: Values) -> Any:
        import torch.nn.functional as F

        x, kernel = wide(v["x"]), ints(v["kernel_sizes"])
        strides = ints(v["strides"]) if v.get("strides") is not None else [1] * len(kernel)
        sides = _sides(v, kernel, strides, [1] * len(kernel), list(x.shape[2:]))
        order = [sides[2 * axis + end] for axis in reversed(range(len(kernel))) for end in (0, 1)]
        function = getattr(F, f"{kind}_pool{len(kernel)}d")
        if kind == "max":
            return function(F.pad(x, order, value=float("-inf")), kernel, strides)
        total = function(F.pad(x, order), kernel, strides)
        if not v.get("exclude_padding_from_average", False):
            return total
        return total / function(F.pad(x.new_ones(x.shape), order), kernel, strides)

    return apply


def _linear(v: Values) -> Any:
    import torch.nn.functional as F

    bias = None if v.get("bias") is None else wide(v["bias"])
    return F.linear(wide(v["x"]), wide(v["weight"]), bias)


def _matmul(v: Values) -> Any:
    x, y = wide(v["x"]), wide(v["y"])
    x = x.transpose(-1, -2) if v.get("transpose_x", False) else x
    y = y.transpose(-1, -2) if v.get("transpose_y", False) else y
    return x @ y


def _batch_norm(v: Values) -> Any:
    import torch.nn.functional as F

    mean, variance, gamma, beta = (
        wide(v[key]) if v.get(key) is not None else None for key in ("mean", "variance", "gamma", "beta")
    )
    return F.batch_norm(wide(v["x"]), mean, variance, gamma, beta, eps=float(v.get("epsilon", 1e-5)))


def _layer_norm(v: Values) -> Any:
    import torch

    x = wide(v["x"])
    axes = ints(v["axes"]) if v.get("axes") is not None else [-1]
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    out = (x - mean) * torch.rsqrt(variance + float(v.get("epsilon", 1e-5)))
    out = out if v.get("gamma") is None else out * wide(v["gamma"])
    return out if v.get("beta") is None else out + wide(v["beta"])


def _lstm(v: Values) -> Any:
    """Gates lie in the order input, forget, output, cell (`mil.ops.defs.iOS15.recurrent.lstm`)."""
    import torch

    backward = v.get("direction", "forward") == "reverse"
    x = wide(v["x"]).flip(0) if backward else wide(v["x"])
    if v.get("direction", "forward") not in ("forward", "reverse"):
        raise ValueError("an lstm of both directions is not known here")
    hidden, cell = wide(v["initial_h"]), wide(v["initial_c"])
    w_in, w_hidden = wide(v["weight_ih"]), wide(v["weight_hh"])
    bias = wide(v["bias"]) if v.get("bias") is not None else 0.0
    steps = []
    for step in x:
        i, f, o, g = (step @ w_in.T + hidden @ w_hidden.T + bias).chunk(4, -1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        steps.append(hidden)
    whole = torch.stack(steps[::-1] if backward else steps)
    return (whole if v.get("output_sequence", False) else whole[-1:]), hidden, cell


def _gelu(v: Values) -> Any:
    import torch.nn.functional as F

    mode = v.get("mode", "EXACT")
    return F.gelu(wide(v["x"]), approximate="none" if mode == "EXACT" else "tanh")


def _clip(v: Values) -> Any:
    return wide(v["x"]).clamp(float(v.get("alpha", 0.0)), float(v.get("beta", 1.0)))


def _log(v: Values) -> Any:
    import torch

    return torch.log(wide(v["x"]) + float(v.get("epsilon", 1e-45)))


def _thresholded(v: Values) -> Any:
    import torch

    x = wide(v["x"])
    return torch.where(x >= float(v.get("alpha", 1.0)), x, torch.zeros_like(x))


def _leaky(v: Values) -> Any:
    import torch.nn.functional as F

    return F.leaky_relu(wide(v["x"]), float(v.get("alpha", 0.01)))


OPERATORS: Mapping[str, Operator] = {
    **SHAPES,
    "add": _pair("add"), "sub": _pair("sub"), "mul": _pair("mul"), "real_div": _divided, "pow": _pair("pow"),
    "maximum": _pair("maximum"), "minimum": _pair("minimum"), "floor_div": _pair("floor_divide"),
    "greater": _pair("gt"), "greater_equal": _pair("ge"), "less": _pair("lt"), "less_equal": _pair("le"),
    "equal": _pair("eq"), "not_equal": _pair("ne"), "logical_and": _pair("logical_and"),
    "logical_or": _pair("logical_or"), "logical_not": _single("logical_not"),
    "relu": _single("relu"), "sigmoid": _single("sigmoid"), "tanh": _single("tanh"), "exp": _single("exp"),
    "sqrt": _single("sqrt"), "square": _single("square"), "abs": _single("abs"), "erf": _single("erf"),
    "floor": _single("floor"), "sin": _single("sin"), "cos": _single("cos"), "sign": _single("sign"),
    "relu6": lambda v: wide(v["x"]).clamp(0, 6),
    "silu": lambda v: wide(v["x"]) * wide(v["x"]).sigmoid(),
    "sigmoid_hard": lambda v: (float(v.get("alpha", 0.2)) * wide(v["x"]) + float(v.get("beta", 0.5))).clamp(0, 1),
    "softmax": lambda v: wide(v["x"]).softmax(int(v.get("axis", -1))),
    "inverse": lambda v: 1 / (wide(v["x"]) + float(v.get("epsilon", 1e-4))),
    "rsqrt": lambda v: (wide(v["x"]) + float(v.get("epsilon", 1e-12))).rsqrt(),
    "gelu": _gelu, "clip": _clip, "log": _log, "thresholded_relu": _thresholded, "leaky_relu": _leaky,
    "reduce_mean": _reduced("mean"), "reduce_sum": _reduced("sum"), "reduce_max": _reduced("amax"),
    "reduce_min": _reduced("amin"), "reduce_l2_norm": _reduced("l2"),
    "conv": _conv, "linear": _linear, "matmul": _matmul, "avg_pool": _pool("avg"), "max_pool": _pool("max"),
    "batch_norm": _batch_norm, "layer_norm": _layer_norm, "lstm": _lstm,
}  # fmt: skip
