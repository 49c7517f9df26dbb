"""Distributions of times: every value of every process, warm-ups apart.

A lane per process. In it a dot is a value: its place across is the time, its place down is its turn, so a drift leans
and a burst of noise is a stripe. Behind the dots lie the middle half as a box and the median as a line; warm-ups
are strokes in a lane of their own. Marks of one kind are one element, whatever the number of lanes: a page has many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from edgekit.bench.statistics import repeated
from edgekit.common.figures import figure
from edgekit.core import Measurement
from edgekit.reports.page.axis import LINE, Axis, across, fit_axis
from edgekit.reports.page.elements import WIDTH, Page, short, text
from edgekit.reports.page.entries import Entry

#: Limits of a page, so that a page of many cells stays small: (of the page, fewest and most of each part), for
#: figures of a cell, lanes of a figure, values of a figure.
_FIGURES, _LANES, _VALUES = (150, 1, 12), (450, 3, 12), (5_000, 30, 400)

#: With more cells, each gets proportionally less.
_CELLS = 50

_LEFT, _RIGHT, _TOP = 62.0, WIDTH - 18.0, LINE + 6.0
_LANE, _WARM, _GAP = 26.0, 13.0, 6.0

_HEADER = ("process", "n", "least", "p25", "median", "p75", "largest", "warm-ups", "values in the order taken")

READING = (
    "In a distribution each dot is a value: across is the time, down is its turn, with a lane per process. "
    "The box is the middle half, the line the median of the process, the long line that of all. "
    "Warm-ups are strokes in a lane of their own."
)


def repeated_timings(entry: Entry) -> list[Measurement]:
    """The measurements with a distribution: times measured more than once per process."""
    return [
        item for item in entry.report.measurements if item.unit == "s" and max(len(group) for group in item.values) > 1
    ]


class Density(NamedTuple):
    """Most distributions of a cell; most lanes and values (about) of a distribution."""

    figures: int
    lanes: int
    values: int


def density(entries: Sequence[Entry]) -> Density:
    """The largest density that keeps a page of these cells small."""
    wanted = [len(repeated_timings(entry)) for entry in entries]
    crowd = max(1.0, len(entries) / _CELLS)
    figures = _share(_FIGURES, len(entries), crowd)
    count = sum(min(figures, number) for number in wanted)
    return Density(figures, _share(_LANES, count, crowd), _share(_VALUES, count, crowd))


def _share(bounds: tuple[int, int, int], count: int, crowd: float) -> int:
    total, least, most = bounds
    return max(least, min(most, int(total / crowd) // max(1, count)))


def distributions(page: Page, entry: Entry, most: Density) -> list[str]:
    """A figure for each measurement with a distribution, the cell's cost first. Measurements without a figure on a
    page of many cells are named."""
    shown = sorted(repeated_timings(entry), key=lambda item: item is not entry.cost)
    drawn = [_distribution(page, entry, item, most) for item in shown[: most.figures]]
    left = ", ".join(item.name for item in shown[most.figures :])
    return [*drawn, f'<p class="dim">Not drawn on a page of so many cells: {text(left)}.</p>'] if left else drawn


def _distribution(page: Page, entry: Entry, item: Measurement, most: Density) -> str:
    """The figure of a distribution. Its table lists the drawn values only; the statistics are of all values."""
    values = repeated.pool(item.values)
    every = _lanes(item)
    shown = every[: most.lanes]
    step = 1 + (sum(len(lane.values) for lane in shown) - 1) // most.values
    shown = [replace(lane, step=step) for lane in shown]
    axis = _axis(values, shown)
    middle = entry.summary(item).median
    tops, bottom = [], _TOP
    for lane in shown:
        tops.append(bottom)
        bottom += _LANE + (_WARM if lane.warmups else 0.0) + _GAP
    x = axis.at(middle)
    anchor = "m" if _LEFT + 40 < x < _RIGHT - 40 else "e" if x > WIDTH / 2 else ""
    middle_name = text(f"median {figure(middle, item.unit)}")
    drawn = (
        across(axis, item.unit, _TOP, bottom),
        _marks(shown, tops, axis, f"M{x:.1f} {_TOP - 4:g}V{bottom:g}"),
        *(_names(lane, axis, top, item.unit) for lane, top in zip(shown, tops, strict=True)),
        f'<text class="b {anchor}" x="{x:.1f}" y="{LINE - 2:g}">{middle_name}</text>',
    )
    return page.figure(
        short(item.name),
        "".join(drawn),
        bottom + LINE + 3,
        description=_description(item, values, middle, len(every)),
        note=_note(len(values), len(every), shown, axis),
        header=_HEADER,
        rows=(_row(lane, item.unit) for lane in shown),
        words=(8,),
    )


@dataclass(frozen=True)
class _Lane:
    """A process: all its values, the step between drawn values, and its warm-ups."""

    number: int
    values: Sequence[float]
    warmups: Sequence[float]
    step: int = 1

    @property
    def points_to_draw(self) -> list[tuple[int, float]]:
        """(turn, value): every step-th, and the largest."""
        top = max(range(len(self.values)), key=self.values.__getitem__)
        return [(at, value) for at, value in enumerate(self.values) if at % self.step == 0 or at == top]

    @property
    def warmups_to_draw(self) -> Sequence[float]:
        return self.warmups[:: 1 + (len(self.warmups) - 1) // 40] if self.warmups else ()


def _lanes(item: Measurement) -> list[_Lane]:
    warm = [*item.warmups, *([()] * len(item.values))]
    lanes = enumerate(zip(item.values, warm, strict=False), 1)
    return [_Lane(number, values, early) for number, (values, early) in lanes if values]


def _axis(values: Sequence[float], lanes: Sequence[_Lane]) -> Axis:
    """Warm-ups may be many times slower: the axis includes only those that need little room."""
    reach = max(values) + 0.6 * (max(values) - min(values))
    near = [value for lane in lanes for value in lane.warmups_to_draw if min(values) <= value <= reach]
    return fit_axis([*values, *near], _LEFT, _RIGHT)


def _marks(lanes: Sequence[_Lane], tops: Sequence[float], axis: Axis, overall: str) -> str:
    """Boxes, dots, medians and warm-ups of all lanes, an element for each kind. overall: path of the overall median."""
    boxes, dots, medians, early = [], [], [overall], []
    for lane, top in zip(lanes, tops, strict=True):
        low, middle, high = (axis.at(repeated.percentile(lane.values, q)) for q in (25.0, 50.0, 75.0))
        wide, turns = max(0.5, high - low), max(1, len(lane.values) - 1)
        boxes.append(f"M{low:.1f} {top:g}h{wide:.1f}v{_LANE:g}h-{wide:.1f}z")
        dots += [
            f"M{axis.at(value):.0f} {top + 3 + at / turns * (_LANE - 6):.0f}h0" for at, value in lane.points_to_draw
        ]
        medians.append(f"M{middle:.1f} {top:g}v{_LANE:g}")
        near = [value for value in lane.warmups_to_draw if axis.low <= value <= axis.high]
        early += [f"M{axis.at(value):.1f} {top + _LANE + 4:g}v{_WARM - 6:g}" for value in near]
    kinds = (("x", boxes), ("d", dots), ("k", medians), ("w", early))
    return "".join(f'<path class="{kind}" d="{"".join(paths)}"/>' for kind, paths in kinds if paths)


def _names(lane: _Lane, axis: Axis, top: float, unit: str) -> str:
    """The words of a lane; of the warm-ups beyond the axis, how many and how far."""
    words = [f'<text class="q" x="0" y="{top + _LANE / 2 + 4:g}">process {lane.number}</text>']
    if lane.warmups:
        y = top + _LANE + _WARM / 2 + 5
        words.append(f'<text class="q" x="0" y="{y:g}">warm-ups</text>')
        if beyond := [value for value in lane.warmups if value > axis.high]:
            far = text(f"{len(beyond)} up to {figure(max(beyond), unit)} →")
            words.append(f'<text class="q e" x="{_RIGHT:g}" y="{y:g}">{far}</text>')
    return "".join(words)


def _note(count: int, processes: int, shown: Sequence[_Lane], axis: Axis) -> str:
    words = [f"{count} values in {_processes(processes)}"]
    step = shown[0].step
    if step > 1:
        words.append(f"one of every {step} values and the largest are drawn")
    if processes > len(shown):
        words.append(f"the first {len(shown)} processes are drawn")
    if axis.log:
        words.append("logarithmic")
    return ", ".join(words)


def _description(item: Measurement, values: Sequence[float], middle: float, processes: int) -> str:
    least, median, most = (figure(value, item.unit) for value in (min(values), middle, max(values)))
    return f"{len(values)} values in {_processes(processes)}, from {least} to {most}; the median is {median}."


def _processes(count: int) -> str:
    return f"{count} process{'es' if count > 1 else ''}"


def _row(lane: _Lane, unit: str) -> list[str]:
    ends = [figure(repeated.percentile(lane.values, q), unit) for q in (0.0, 25.0, 50.0, 75.0, 100.0)]
    drawn = [value for _, value in lane.points_to_draw]
    return [
        str(lane.number),
        str(len(lane.values)),
        *ends,
        _format_values(lane.warmups_to_draw, unit),
        _format_values(drawn, unit),
    ]


def _format_values(values: Sequence[float], unit: str) -> str:
    """Values with their unit, which is not repeated while it stays the same: "9.8, 10.1, 10.2 ms"."""
    words: list[str] = []
    for word in (figure(value, unit) for value in values):
        digits, _, name = word.rpartition(" ")
        if words and words[-1].endswith(f" {name}"):
            words[-1] = words[-1].removesuffix(f" {name}")
        words.append(f"{digits} {name}")
    return ", ".join(words) or "-"
