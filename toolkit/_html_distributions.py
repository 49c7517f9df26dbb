"""Distributions of times: every value of every process, warm-ups apart.

One lane per process. In it a dot is a value: its place across is the time, its place down is its turn, so a drift leans
and a burst of noise is a stripe. Behind the dots lie the middle half as a box and the median as a line; warm-ups are
hollow and have a lane of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit._html_axis import LINE, WIDTH, Axis, across, fitted
from edgekit._html_entries import Entry
from edgekit._html_page import Page, short, text
from edgekit.bench import stats
from edgekit.core import Measurement
from edgekit.report import figure

#: The most values that one page draws, so that a page of many cells stays light, and the bounds for one figure.
_POINTS, _LEAST, _MOST = 10_000, 50, 400

#: Lanes that one figure draws.
_LANES = 12

_LEFT, _RIGHT, _TOP = 62.0, WIDTH - 18.0, LINE + 6.0
_LANE, _WARM, _GAP = 26.0, 13.0, 6.0

_HEADER = ("process", "n", "least", "p25", "median", "p75", "largest", "warm-ups", "values in the order taken")

READING = (
    "In a distribution each dot is one value: across is the time, down is its turn, one lane per process. "
    "The box is the middle half, the line the median of the process, the long line that of all. Hollow: warm-ups."
)


def timed(entry: Entry) -> list[Measurement]:
    """The measurements that have a distribution to look at: times taken more than once per process."""
    return [
        item for item in entry.report.measurements if item.unit == "s" and max(len(group) for group in item.values) > 1
    ]


def density(entries: Sequence[Entry]) -> int:
    """How many values each figure of this page may draw."""
    count = sum(len(timed(entry)) for entry in entries) or 1
    return max(_LEAST, min(_MOST, _POINTS // count))


def distribution(page: Page, entry: Entry, item: Measurement, most: int) -> str:
    """One measurement as a figure. `most`: about so many values are drawn."""
    values = stats.pool(item.values)
    lanes = _lanes(item, 1 + (len(values) - 1) // most)
    shown = lanes[:_LANES]
    axis = _axis(values, shown)
    middle = entry.summary(item).median
    drawn, bottom = [], _TOP
    for lane in shown:
        drawn.append(_lane(lane, axis, bottom, item.unit))
        bottom += _LANE + (_WARM if lane.warmups else 0.0) + _GAP
    x = axis.at(middle)
    drawn.append(f'<path class="k" d="M{x:.1f} {_TOP - 4:g}V{bottom:g}"/>')
    anchor = "m" if _LEFT + 40 < x < _RIGHT - 40 else "e" if x > WIDTH / 2 else ""
    middle_name = text(f"median {figure(middle, item.unit)}")
    drawn.append(f'<text class="b {anchor}" x="{x:.1f}" y="{LINE - 2:g}">{middle_name}</text>')
    return page.figure(
        short(item.name),
        across(axis, item.unit, _TOP, bottom) + "".join(drawn),
        bottom + LINE + 3,
        width=WIDTH,
        told=_told(item, values, middle, len(lanes)),
        note=_note(len(values), lanes, axis),
        header=_HEADER,
        rows=(_row(lane, item.unit) for lane in lanes),
        words=(8,),
    )


@dataclass(frozen=True)
class _Lane:
    """One process: all its values, which of them are drawn, and its warm-ups."""

    number: int
    values: Sequence[float]
    step: int
    warmups: Sequence[float]

    @property
    def drawn(self) -> list[tuple[int, float]]:
        """(turn, value): every step-th, and the largest."""
        top = max(range(len(self.values)), key=self.values.__getitem__)
        return [(at, value) for at, value in enumerate(self.values) if at % self.step == 0 or at == top]

    @property
    def early(self) -> Sequence[float]:
        return self.warmups[:: 1 + (len(self.warmups) - 1) // 40] if self.warmups else ()


def _lanes(item: Measurement, step: int) -> list[_Lane]:
    warm = [*item.warmups, *([()] * len(item.values))]
    found = enumerate(zip(item.values, warm, strict=False), 1)
    return [_Lane(number, values, step, early) for number, (values, early) in found if values]


def _axis(values: Sequence[float], lanes: Sequence[_Lane]) -> Axis:
    """Warm-ups may be many times slower: the axis goes as far as they do only where that costs little room."""
    reach = max(values) + 0.6 * (max(values) - min(values))
    near = [value for lane in lanes for value in lane.early if min(values) <= value <= reach]
    return fitted([*values, *near], _LEFT, _RIGHT)


def _lane(lane: _Lane, axis: Axis, top: float, unit: str) -> str:
    low, middle, high = (axis.at(stats.percentile(lane.values, q)) for q in (25.0, 50.0, 75.0))
    turns = max(1, len(lane.values) - 1)
    dots = "".join(f"M{axis.at(value):.1f} {top + 3 + at / turns * (_LANE - 6):.0f}h0" for at, value in lane.drawn)
    parts = [
        f'<text class="q" x="0" y="{top + _LANE / 2 + 4:g}">process {lane.number}</text>',
        f'<rect class="x" x="{low:.1f}" y="{top:g}" width="{max(0.5, high - low):.1f}" height="{_LANE:g}"/>',
        f'<path class="d" d="{dots}"/>',
        f'<path class="k" d="M{middle:.1f} {top:g}v{_LANE:g}"/>',
    ]
    if lane.warmups:
        parts.append(_early(lane, axis, top + _LANE, unit))
    return "".join(parts)


def _early(lane: _Lane, axis: Axis, top: float, unit: str) -> str:
    """The warm-ups; of those beyond the axis, how many and how far."""
    y = top + _WARM / 2 + 1
    inside = [value for value in lane.early if axis.low <= value <= axis.high]
    parts = [f'<text class="q" x="0" y="{y + 4:g}">warm-ups</text>']
    parts += [f'<circle class="w" cx="{axis.at(value):.1f}" cy="{y:g}" r="2.8"/>' for value in inside]
    beyond = [value for value in lane.warmups if value > axis.high]
    if beyond:
        words = f"{len(beyond)} up to {figure(max(beyond), unit)} →"
        parts.append(f'<text class="q e" x="{_RIGHT:g}" y="{y + 4:g}">{text(words)}</text>')
    return "".join(parts)


def _note(count: int, lanes: Sequence[_Lane], axis: Axis) -> str:
    words = [f"{count} values in {_processes(len(lanes))}"]
    step = lanes[0].step
    if step > 1:
        words.append(f"one of every {step} values and the largest are drawn")
    if len(lanes) > _LANES:
        words.append(f"the first {_LANES} processes are drawn")
    if axis.log:
        words.append("logarithmic")
    return ", ".join(words)


def _told(item: Measurement, values: Sequence[float], middle: float, processes: int) -> str:
    least, median, most = (figure(value, item.unit) for value in (min(values), middle, max(values)))
    return f"{len(values)} values in {_processes(processes)}, from {least} to {most}; the median is {median}."


def _processes(count: int) -> str:
    return f"{count} process{'es' if count > 1 else ''}"


def _row(lane: _Lane, unit: str) -> list[str]:
    ends = [figure(stats.percentile(lane.values, q), unit) for q in (0.0, 25.0, 50.0, 75.0, 100.0)]
    early = ", ".join(figure(value, unit) for value in lane.early) or "-"
    values = ", ".join(figure(value, unit) for _, value in lane.drawn)
    return [str(lane.number), str(len(lane.values)), *ends, early, values]
