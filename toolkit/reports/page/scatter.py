"""The frontier of accuracy, size and speed: three scatter plots, for each pair of the three.

Only comparable cells share a plot: those of the same fidelity, machine and inputs, and of the same metric
on the same data. A point is on the (Pareto) frontier of a plot if no other point is at least as good in both and
better in one. A cell without a measured accuracy is drawn below the axis; it is on no frontier of accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.bench import metrics
from edgekit.common.drawing import Box, Label, place_labels
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.reports.page.axis import LINE, Axis, across, cut, fit_axis
from edgekit.reports.page.elements import WIDTH, Page, text
from edgekit.reports.page.entries import Entry, group_cells, labels, machine_name, metric_text

_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, WIDTH - 16.0, 12.0, 212.0

#: Height of the band below for points whose accuracy is not known.
_BAND = 64.0

#: In a plot with more points, only points on the frontier get a label.
_CROWD = 14


@dataclass(frozen=True)
class _Quantity:
    """The quantity of an axis. `unit` as in `edgekit.common.figures.figure`; empty for a metric."""

    name: str
    unit: str
    value: Callable[[Entry], float | None]
    higher: bool = False

    def format_value(self, value: float | None) -> str:
        return figure(value, self.unit) if self.unit else metric_text(self.name, value)


@dataclass(frozen=True)
class _Point:
    """A cell (`at` as in its entry) in a plot; `y` is None if it was not measured, `leads` is True on the frontier."""

    at: int
    name: str
    x: float
    y: float | None
    leads: bool = False


def frontiers(page: Page, entries: Sequence[Entry]) -> str:
    """The plots of every group of at least two comparable cells, with headings; empty without such a group."""
    groups = group_cells([entry for entry in entries if entry.cost], _basis(entries))
    return "".join(_group(page, group) for group in groups if len(group) > 1)


def _basis(entries: Sequence[Entry]) -> Any:
    """The facts that cells of a plot share. A cell without a metric joins the other cells of its model."""
    known: dict[Any, str] = {}
    for entry in entries:
        if entry.accuracy is not None:
            known.setdefault((entry.machine, entry.model), _describe_metric(entry))

    def basis(entry: Entry) -> Any:
        inputs = tuple(printable(item.get("sha256") or item) for item in entry.report.inputs)
        judged = _describe_metric(entry) if entry.accuracy is not None else known.get((entry.machine, entry.model), "")
        return entry.machine, inputs, judged, entry.cost.name if entry.cost else "", entry.cost and entry.cost.unit

    return basis


def _describe_metric(entry: Entry) -> str:
    return f"{entry.metric} on {printable(entry.gate.get('data') or 'unnamed data')}"


def _group(page: Page, group: Sequence[Entry]) -> str:
    first, names = group[0], labels(group)
    cost = first.cost
    assert cost is not None, "frontiers() leaves out cells that cost nothing"
    speed = _Quantity(cost.name, cost.unit, lambda entry: entry.median(cost.name), cost.better == "higher")
    size = _Quantity("size of the bundle", "B", lambda entry: entry.size)
    pairs, basis = [(speed, size)], f"accuracy: {NOT_MEASURED}"
    judge = next((entry for entry in group if entry.accuracy is not None), None)
    if judge is not None:
        known = metrics.METRICS.get(judge.metric)
        higher = known is None or known.better == "higher"
        quality = _Quantity(judge.metric, "", lambda entry: entry.accuracy, higher)
        pairs, basis = [(speed, quality), (size, quality), (speed, size)], _describe_metric(judge)
    plots = "".join(_plot(page, group, names, x, y) for x, y in pairs)
    title = ", ".join(dict.fromkeys(entry.model for entry in group))
    return (
        f"<h3>{text(title)} {first.badge}</h3>"
        f'<p class="dim">{text(basis)}; on {text(machine_name(first))}.</p><div class="plots">{plots}</div>'
    )


def _plot(page: Page, cells: Sequence[Entry], names: Sequence[str], x: _Quantity, y: _Quantity) -> str:
    """The plot of a pair of quantities; a cell without an x value is in the table only."""
    places = ((entry, name, x.value(entry)) for entry, name in zip(cells, names, strict=True))
    measured = [_Point(entry.at, name, across, y.value(entry)) for entry, name, across in places if across is not None]
    points = _leading(measured, x.higher, y.higher)
    known = [point for point in points if point.y is not None]
    if not known:
        return ""
    axis = fit_axis([point.x for point in points], _LEFT + 8, _RIGHT - 8)
    up = fit_axis([point.y for point in known if point.y is not None], _BOTTOM - 8, _TOP + 6)
    bottom = _BOTTOM
    drawing = [_upwards(up, y), _line(known, axis, up, x.higher)]
    if len(known) < len(points):
        words = f"{y.name}: {NOT_MEASURED}"
        drawing.append(f'<path class="g" d="M{_LEFT:g} {_BOTTOM:g}H{_RIGHT:g}"/>')
        drawing.append(f'<text class="q" x="{_LEFT + 4:g}" y="{_BOTTOM + LINE:g}">{text(cut(words, 200))}</text>')
        bottom += _BAND
    marks, left_out = _marks(points, axis, up)
    ways = ("higher" if y.higher else "lower", "right" if x.higher else "left")
    note = f"{ways[0]} and further {ways[1]} is better; the line joins the frontier"
    logs = [quantity.name for quantity, scale in ((x, axis), (y, up)) if scale.log]
    note += f"; logarithmic: {', '.join(logs)}" if logs else ""
    note += f"; {left_out} points have no label, the table names them" if left_out else ""
    front = {point.at for point in points if point.leads}
    return page.figure(
        f"{y.name} against {x.name}",
        across(axis, x.unit, _TOP, bottom) + "".join(drawing) + marks,
        bottom + LINE + 3,
        description=_description(points, x, y),
        note=note,
        header=("cell", x.name, y.name, "on the frontier"),
        rows=(
            (
                entry.name,
                *(quantity.format_value(quantity.value(entry)) for quantity in (x, y)),
                "yes" if entry.at in front else "no",
            )
            for entry in cells
        ),
    )


def _leading(points: Sequence[_Point], right: bool, higher: bool) -> list[_Point]:
    """The points with `leads` set if no other point is at least as good in both quantities and better in one."""
    across, up = (-1.0 if more else 1.0 for more in (right, higher))
    places = {point: (across * point.x, up * point.y) for point in points if point.y is not None}

    def beaten(x: float, y: float) -> bool:
        return any(a <= x and b <= y and (a, b) != (x, y) for a, b in places.values())

    return [replace(point, leads=point in places and not beaten(*places[point])) for point in points]


def _line(points: Sequence[_Point], axis: Axis, up: Axis, right: bool) -> str:
    """The frontier as steps: between two points, the cheaper point is the best known."""
    places = [(axis.at(point.x), up.at(point.y)) for point in points if point.leads and point.y is not None]
    front = sorted(places, reverse=right)
    if len(front) < 2:
        return ""
    steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in front[1:])
    return f'<path class="r" d="M{front[0][0]:.1f} {front[0][1]:.1f}{steps}"/>'


def _upwards(axis: Axis, y: _Quantity) -> str:
    drawn, names = [], set()
    for value in axis.ticks():
        name, at = y.format_value(value), axis.at(value)
        if name not in names:
            names.add(name)
            drawn.append(f'<path class="g" d="M{_LEFT:g} {at:.1f}H{_RIGHT:g}"/>')
            drawn.append(f'<text class="q e" x="{_LEFT - 5:g}" y="{at + 4:.1f}">{text(cut(name, _LEFT))}</text>')
    return "".join(drawn)


def _marks(points: Sequence[_Point], axis: Axis, up: Axis) -> tuple[str, int]:
    """Points and labels as SVG, and how many points have no label."""
    ordered = sorted(points, key=lambda point: (not point.leads, point.y is None, point.x))
    below = _BOTTOM + LINE + 12
    places = [(axis.at(point.x), below if point.y is None else up.at(point.y)) for point in ordered]
    names = [cut(point.name, 150) for point in ordered]
    measured = sum(point.y is not None for point in points)
    room = Box(_LEFT, 0.0, WIDTH, _BOTTOM if measured == len(points) else _BOTTOM + _BAND)
    count = sum(point.leads for point in points) if len(points) > _CROWD else len(points)
    words = [] if measured == len(points) else [Box(_LEFT, _BOTTOM, _LEFT + 200.0, _BOTTOM + LINE + 3)]
    kept = place_labels(places, names, count, room, words)
    drawn = [
        f'<circle class="{"n" if point.y is None else "a" if point.leads else "h"}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        + (_label(name, (x, y), label, point.leads) if label else "")
        for point, name, (x, y), label in zip(ordered, names, places, kept, strict=True)
    ]
    return "".join(drawn), kept.count(None)


def _label(name: str, point: tuple[float, float], label: Label, leads: bool) -> str:
    box, (x, y) = label.box, point
    middle = (box.top + box.bottom) / 2
    left = box.right < x
    end = box.right if left else box.left if box.left > x else (box.left + box.right) / 2
    edge = middle if box.left > x or left else box.bottom if box.bottom < y else box.top
    line = f'<path class="l" d="M{x:.1f} {y:.1f}L{end:.1f} {edge:.1f}"/>' if label.far else ""
    anchor = "e" if left else "" if box.left > x else "m"
    kind = f"{'b' if leads else ''} {anchor}".strip()
    return f'{line}<text class="{kind}" x="{end:.1f}" y="{box.bottom - 3:.1f}">{text(name)}</text>'


def _description(points: Sequence[_Point], x: _Quantity, y: _Quantity) -> str:
    front = [
        f"{p.name} ({x.format_value(p.x)}, {y.format_value(p.y)})" for p in sorted(points, key=lambda p: p.x) if p.leads
    ]
    return f"{len(points)} cells; on the frontier: {', '.join(front)}."
