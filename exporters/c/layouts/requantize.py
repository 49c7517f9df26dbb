"""The requantization of the DSP extension's kernels: two multiplies, exact for all that a channel can reach.

The kernel computes, with SMMLAR(a, b, c) = c + floor((a * b + 2^31) / 2^32),

    h = SMMLAR(x, 2m - 2^32, x)        = the rounding doubling high multiply of x and m, exactly
    y = SMMLAR(h, 2^(32-r) + 1, zero)  = zero + h / 2^r, ties away from zero,        while |h| < 2^(32-r)

In the second line h * 2^(32-r) + 2^31 is a multiple of 2^(32-r). So adding h (the "+ 1") changes its floor only where
it is a multiple of 2^32 and h is negative. The first is a tie; the second is where half up is not away from zero. For
r <= 12 larger |h| do no harm: y is off by at most |h| / 2^32 + 1, and outside of int8 anyway. For larger r the "+ 1" is
left out if no negative tie can occur.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from edgekit.common.lazy import NDArray, np

#: A factor at or below zero is a shift minus this.
SHIFT_MARK = 64
_BYTE = (-128, 127)


class Requantization(NamedTuple):
    """Folded bias, multiplier (0 or in [2^30, 2^31)) and shift of every output channel, as in edgekit.h."""

    bias: NDArray[Any]
    multiplier: NDArray[Any]
    shift: NDArray[Any]


class Channel(NamedTuple):
    """What the kernel adds to and multiplies by for one channel.

    A factor above zero is 2^(32 - r), plus 1 where a tie may be negative. A factor below zero is the shift minus
    `SHIFT_MARK`: the general arithmetic, with the multiplier as it was. For a constant channel the weights are zero.
    """

    bias: int
    multiplier: int
    factor: int
    constant: bool = False


#: For a channel that is there only to fill up a group.
NOTHING = Channel(0, -(2**31), 2**30 + 1)


def constants(weights: NDArray[Any], requantization: Requantization, index: int) -> Channel:
    """The constants of channel `index`, whose weights are these int8 values in any shape.

    A channel whose output is the same for every input becomes a constant.
    """
    bias, multiplier, shift = (int(array[index]) for array in requantization)
    products = weights.reshape(-1).astype(np.int64)[:, None] * np.array(_BYTE)
    least, most = bias + int(products.min(1).sum()), bias + int(products.max(1).sum())
    general = Channel(bias, multiplier, shift - SHIFT_MARK)
    if shift > 0 or least < -(2**31) or most >= 2**31:
        return general
    low, high = (_high_multiply(x, multiplier) for x in (least, most))
    first, last = (max(-512, min(512, _rounding_divide(h, -shift))) for h in (low, high))
    if first == last or min(first, last) >= 256 or max(first, last) <= -256:
        return Channel(8 * first, -(2**31), 2**30 + 1, constant=True)
    if -shift < 2 or -shift > 31:
        return general
    unit = 2 ** (32 + shift)
    if -shift <= 12 or max(-low, high) < unit:
        return Channel(bias, 2 * multiplier - 2**32, unit + 1)
    half = 2 ** (-shift - 1)
    first_tie = low + (half - low) % (2 * half)
    return general if first_tie <= min(high, -1) else Channel(bias, 2 * multiplier - 2**32, unit)


def _high_multiply(x: int, multiplier: int) -> int:
    return (x * multiplier + 2**30) >> 31


def _rounding_divide(x: int, exponent: int) -> int:
    half = (1 << exponent) >> 1
    return (x + half) >> exponent if x >= 0 else -((-x + half) >> exponent)
