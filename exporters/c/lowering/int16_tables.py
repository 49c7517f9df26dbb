"""The tables of int16 SOFTMAX: functions of 16-bit values at 513 places, with straight lines between them.

Source: LUTPopulateInt16 of TensorFlow Lite (kernels/internal/common.h), in the float32 arithmetic that makes its last
bits. An entry is lowered or raised by half of the error that the line to the next entry has in its middle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from edgekit.common.lazy import NDArray, np

_INTERVALS, _LEAST, _MOST = 512, -32768, 32767


@cache
def exponential() -> NDArray[Any]:
    """exp(x) for x in [-10, 0], with 15 fraction bits: int16 [513]."""
    return _table(lambda x: np.exp(x.astype(np.float64)), 10.0, zero=_MOST)


@cache
def reciprocal() -> NDArray[Any]:
    """1 / (1 + x) for x in [0, 1], with 15 fraction bits: int16 [513]."""
    return _table(lambda x: 1 / (1 + x), 1.0, zero=_LEAST)


def _table(function: Callable[[NDArray[Any]], NDArray[Any]], length: float, zero: int) -> NDArray[Any]:
    """`function` over `length`, from the least 16-bit value to the largest; `zero` is the value that stands for 0."""
    single = np.float32
    span = _MOST - _LEAST
    scale, unit = single(length) / single(span), single(2) / single(span)
    first, last = scale * single(_LEAST - zero), scale * single(_MOST - zero)
    step = (last - first) / single(_INTERVALS)
    per_unit = single(span + 1) / (unit * single(_MOST) - unit * single(_LEAST))
    places = np.arange(_INTERVALS, dtype=single)

    def at(x: NDArray[Any]) -> NDArray[Any]:
        return function(x).astype(single) * per_unit

    here, middle = at(first + places * step), at(first + places * step + step / single(2))
    beyond = at(first + (places + single(1)) * step)
    line = _round_half_away((beyond + _round_half_away(here)) / single(2))
    entries = _round_half_away(here) - _round_half_away((line - _round_half_away(middle)) / single(2))
    end = _round_half_away(at(np.array([last], single)))
    table: NDArray[Any] = np.clip(np.concatenate([entries, end]), _LEAST, _MOST).astype(np.int16)
    return table


def _round_half_away(values: NDArray[Any]) -> NDArray[Any]:
    """To nearest, ties away from zero."""
    away: NDArray[Any] = np.sign(values) * np.floor(np.abs(values) + np.float32(0.5))
    return away
