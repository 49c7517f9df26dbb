"""Axes and labels of the figures: positions, ticks, and widths of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.common.drawing import breadth
from edgekit.common.figures import figure
from edgekit.reports.page.elements import WIDTH, text

#: Height of a line of text, in the same units.
LINE = 14.0

#: Values whose range is wider than this are drawn on a logarithmic axis, which the figure says.
_LOG_FROM = 20.0

#: Larger values are drawn on the edge, so that nothing overflows.
_LARGEST = 1e300

#: Narrower ranges than this share of the largest value are widened: three digits must tell ticks apart, and noise of a
#: thousandth must not look like a spread.
_NARROWEST = 0.04


@dataclass(frozen=True)
class Axis:
    """Values `low` to `high` at the places `start` to `end` (`end` may be smaller: upwards in a drawing)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The position of a value; values outside are on the edge."""
        low, high, value = self._scale_value(self.low), self._scale_value(self.high), self._scale_value(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, most: int = 4) -> list[float]:
        """At most `most` round values inside the axis, in rising order."""
        decades = _decades(self.low, self.high, most) if self.log else []
        return decades if len(decades) > 1 else _steps(self.low, self.high, most)

    def _scale_value(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.log else value


def fit_axis(values: Sequence[float], start: float, end: float, *, zero: bool = False) -> Axis:
    """An axis that holds all `values` (finite, at least 0) with a little room. `zero`: it is linear, from 0."""
    low, high = (min(value, _LARGEST) for value in (min(values), max(values)))
    if zero:
        return Axis(0.0, high or 1.0, start, end)
    if low > 1.0 / _LARGEST and high > _LOG_FROM * low:
        return Axis(low / 1.15, high * 1.15, start, end, log=True)
    room = max(_NARROWEST * high - (high - low), 0.06 * (high - low)) / 2.0 or 0.5
    return Axis(max(0.0, low - room), high + room, start, end)


def across(axis: Axis, unit: str, top: float, bottom: float) -> str:
    """The grid of a horizontal axis, with figures below `bottom` that stay in the drawing and apart."""
    drawn, names, free = [], set(), 0.0
    for value in axis.ticks():
        name, x = figure(value, unit), axis.at(value)
        half = breadth(name) / 2
        middle = min(max(x, half), WIDTH - half)
        if name in names or middle - half < free:
            continue
        names.add(name)
        free = middle + half
        drawn.append(f'<path class="g" d="M{x:.1f} {top:g}V{bottom:g}"/>')
        drawn.append(f'<text class="q m" x="{middle:.1f}" y="{bottom + LINE - 1:g}">{text(name)}</text>')
    return "".join(drawn)


def cut(words: str, room: float) -> str:
    """The start of `words` that fits into `room`."""
    if breadth(words) <= room:
        return words
    while words and breadth(words) > room - 8.0:
        words = words[:-1]
    return words + "…"


def _steps(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
    rough = (high - low) / most
    if not rough > 1e-300:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [at * step for at in range(first, last + 1)]


def _decades(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, with their multiples by 2 and 5 if there is room; every n-th power if there are too many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [factor * 10.0**power for power in range(first, last + 1) for factor in (1.0, 2.0, 5.0)]
    inside = [value for value in every if low <= value <= high]
    if len(inside) <= most:
        return inside
    tens = [10.0**power for power in range(first, last + 1) if low <= 10.0**power <= high]
    return tens[:: 1 + (len(tens) - 1) // most]
