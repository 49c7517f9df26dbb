"""Convolutions and pools of ML Programs: inputs by name -> value, in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.common.lazy import F
from edgekit.runtimes.coreml.interpreter.shapes import Operator, Values, ints, wide


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


def _numbers(v: Values, name: str, count: int, default: int = 1) -> list[int]:
    return ints(v[name]) if v.get(name) is not None else [default] * count


def _conv(v: Values) -> Any:
    x, weight = wide(v["x"]), wide(v["weight"])
    space = weight.ndim - 2
    strides, dilations = _numbers(v, "strides", space), _numbers(v, "dilations", space)
    sides = _sides(v, list(weight.shape[2:]), strides, dilations, list(x.shape[2:]))
    x = F.pad(x, [sides[2 * axis + end] for axis in reversed(range(space)) for end in (0, 1)])
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[space]
    bias = None if v.get("bias") is None else wide(v["bias"])
    return function(x, weight, bias, strides, 0, dilations, int(v.get("groups", 1)))


def _conv_transpose(v: Values) -> Any:
    x, weight = wide(v["x"]), wide(v["weight"])
    space = weight.ndim - 2
    strides, dilations = _numbers(v, "strides", space), _numbers(v, "dilations", space)
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[space]
    whole = function(x, weight, None, strides, 0, 0, int(v.get("groups", 1)), dilations)
    kind, pad = v.get("pad_type", "valid"), _numbers(v, "pad", 2 * space, 0)
    for axis in range(space):
        size, before, after = whole.shape[2 + axis], pad[2 * axis], pad[2 * axis + 1]
        if "same" in kind:
            before = (size - x.shape[2 + axis] * strides[axis]) // 2
            after = size - x.shape[2 + axis] * strides[axis] - before
        elif kind == "valid":
            before = after = 0
        out = size - before - after
        if v.get("output_shape") is not None:
            out = ints(v["output_shape"])[axis - space]
        missing = max(0, before + out - size)
        whole = F.pad(whole, [0, 0] * (space - 1 - axis) + [0, missing]).narrow(2 + axis, before, out)
    return whole if v.get("bias") is None else whole + wide(v["bias"]).reshape(-1, *[1] * space)


def _pool(kind: str) -> Operator:
    def apply_pooling(v: Values) -> Any:
        x, kernel = wide(v["x"]), ints(v["kernel_sizes"])
        strides = _numbers(v, "strides", len(kernel))
        sides = _sides(v, kernel, strides, [1] * len(kernel), list(x.shape[2:]))
        function = getattr(F, f"{'lp' if kind == 'l2' else kind}_pool{len(kernel)}d")
        inside = not v.get("exclude_padding_from_average", False)
        if kind != "l2" and v.get("ceil_mode", False):  # then padding is the same on both sides
            options = {"count_include_pad": inside} if kind == "avg" else {}
            return function(x, kernel, strides, sides[::2], ceil_mode=True, **options)
        order = [sides[2 * axis + end] for axis in reversed(range(len(kernel))) for end in (0, 1)]
        if kind == "max":
            return function(F.pad(x, order, value=float("-inf")), kernel, strides)
        if kind == "l2":
            return function(F.pad(x, order), 2.0, kernel, strides)
        total = function(F.pad(x, order), kernel, strides)
        return total if inside else total / function(F.pad(x.new_ones(x.shape), order), kernel, strides)

    return apply_pooling


CONVOLUTIONS: Mapping[str, Operator] = {
    "conv": _conv, "conv_transpose": _conv_transpose, "avg_pool": _pool("avg"), "max_pool": _pool("max"),
    "l2_pool": _pool("l2"),
}  # fmt: skip
