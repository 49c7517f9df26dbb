"""gemmlowp's fixed-point arithmetic in Python integers, for tables that are computed when C is generated.

Source: gemmlowp/fixedpoint/fixedpoint.h and TensorFlow Lite's reference integer kernels; the C twin is
kernels/softmax.c.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_MOST = (1 << 31) - 1


def doubling_high_multiply(a: int, b: int) -> int:
    """a * b * 2 / 2^32, rounded to nearest."""
    return _MOST if a == b == -(1 << 31) else (a * b + (1 << 30)) >> 31


def rounding_divide(x: int, exponent: int) -> int:
    """x / 2^exponent, ties away from zero."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def scale(x: int, multiplier: int, shift: int) -> int:
    """x * multiplier * 2^(shift - 31), rounded twice (MultiplyByQuantizedMultiplier)."""
    left, right = max(shift, 0), max(-shift, 0)
    return rounding_divide(doubling_high_multiply(_wrap_int32(x << left), multiplier), right)


def _wrap_int32(x: int) -> int:
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


def _saturate_int32(x: int) -> int:
    return min(max(x, -(1 << 31)), _MOST)


def exp_of_negative(a: int, integer_bits: int) -> int:
    """exp(a) in Q0.31 for a <= 0 with `integer_bits` integer bits."""
    if a == 0:
        return _MOST
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    near = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturate_int32(near << integer_bits))
    rest = near - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in zip(range(-2, 5), factors, strict=True):
        if integer_bits > exponent and rest & (1 << (fraction_bits + exponent)):
            result = doubling_high_multiply(result, factor)
    return result


def _exp_near_zero(a: int) -> int:
    eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = doubling_high_multiply(x, x)
    x3 = doubling_high_multiply(x2, x)
    x4 = doubling_high_multiply(x2, x2)
    high = doubling_high_multiply(rounding_divide(x4, 2) + x3, third) + x2
    return eighth + doubling_high_multiply(eighth, x + rounding_divide(high, 1))


def _newton(a: int, last: int, minus: int = 0) -> int:
    half = (a + _MOST + 1) // 2
    x = 1515870810 + doubling_high_multiply(half, -1010580540)
    for _ in range(3):
        x += _saturate_int32(doubling_high_multiply(x, (1 << 29) - doubling_high_multiply(half, x)) << 2)
    return _saturate_int32((x - minus) << last)


def logistic_int8(values: list[int], input_scale: float, zero_point: int) -> list[int]:
    """LOGISTIC on int8 values (reference_integer_ops::Logistic); the output's scale is 1/256, its zero point -128."""

    def logistic(x: int) -> int:
        positive = _newton(exp_of_negative(-abs(x), 4), 1)
        return rounding_divide(positive if x > 0 else _MOST - positive if x < 0 else 1 << 30, 23) - 128

    return _saturating_int8(values, input_scale, zero_point, logistic)


def tanh_int8(values: list[int], input_scale: float, zero_point: int) -> list[int]:
    """TANH on int8 values (reference_integer_ops::Tanh); the output's scale is 1/128, its zero point 0."""

    def tanh(x: int) -> int:
        # tanh(x) = (1 - exp(-2x)) / (1 + exp(-2x)); doubling is a matter of the point (4 integer bits become 5).
        size = _newton(exp_of_negative(-abs(x), 5), 2, minus=1 << 29)
        return rounding_divide(size if x > 0 else -size, 24)

    return _saturating_int8(values, input_scale, zero_point, tanh)


def _saturating_int8(
    values: list[int], input_scale: float, zero_point: int, function: Callable[[int], int]
) -> list[int]:
    """`function`, which takes Q4.27, of int8 values; beyond a radius it is -128 or 127."""
    fraction, shift = math.frexp(input_scale * (1 << 27))
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    radius = math.floor(((1 << 4) - 1) * (1 << 27) / (2.0**shift))
    out = []
    for value in (value - zero_point for value in values):
        if value <= -radius or value >= radius:
            out.append(-128 if value <= -radius else 127)
        else:
            out.append(min(max(function(scale(value, multiplier, shift)), -128), 127))
    return out
