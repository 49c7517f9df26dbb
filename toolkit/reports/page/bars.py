"""Bar figures: medians side by side, memory, and instructions per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.bench.statistics import repeated
from edgekit.common.drawing import breadth
from edgekit.common.figures import NOT_MEASURED, figure
from edgekit.reports.page.axis import LINE, Axis, across, cut, fit_axis
from edgekit.reports.page.elements import WIDTH, Page, short, text
from edgekit.reports.page.entries import Entry, labels, with_interval
from edgekit.reports.summary import layer_rows

_ROW, _LABEL, _BAR = 30.0, 11.0, 10.0
_LEFT, _RIGHT = 12.0, WIDTH - 84.0

#: Most rows of a figure; its table has all of them.
_ROWS = 30
#: Rows in a figure's description.
_DESCRIBED = 4

_MEMORY = ("rss.anonymous", "rss.file", "rss.peak")


@dataclass(frozen=True)
class _Row:
    """A row: its name, its drawing (SVG, at height 0), and a figure beside it."""

    name: str
    marks: str
    value: str


def medians(page: Page, entries: Sequence[Entry], name: str) -> str:
    """The cost of a machine's cells side by side: median and 95 % interval; nothing for fewer than two cells."""
    items = [(entry, item) for entry in entries if (item := entry.cost) is not None and item.name == name]
    if len(items) < 2 or len({item.unit for _, item in items}) > 1:
        return ""
    unit, names = items[0][1].unit, labels([entry for entry, _ in items])
    sums = [entry.summary(item) for entry, item in items]
    ends = [value for s in sums for value in (s.median, s.low, s.high) if value is not None]
    axis = fit_axis(ends, _LEFT + 4, _RIGHT)
    rows = [
        _Row(label, _whisker(axis, s.low, s.median, s.high), figure(s.median, unit))
        for label, s in zip(names, sums, strict=True)
    ]
    note = "median and 95 % interval" + (", logarithmic" if axis.log else "") + _left_out(rows)
    table = [[entry.name, *with_interval(entry, item)] for entry, item in items]
    header = ("cell", "median", "95 % interval")
    return _figure(page, f"{short(name)}, side by side", rows, axis, unit, note=note, header=header, table=table)


def memory(page: Page, entries: Sequence[Entry]) -> str:
    """Memory of processes: anonymous and file-backed bytes stacked, the kernel's peak as a line."""
    cells = [entry for entry in entries if any(name in entry.measurements_by_name for name in _MEMORY)]
    if not cells:
        return ""
    sizes = [[entry.median(name) for name in _MEMORY] for entry in cells]
    axis = fit_axis([max((s[0] or 0.0) + (s[1] or 0.0), s[2] or 0.0) for s in sizes], _LEFT, _RIGHT, zero=True)
    names = labels(cells) if len(cells) > 1 else ["peak"]
    rows = [
        _Row(name, _stack(axis, *size), figure(size[2], "B") if size[2] is not None else NOT_MEASURED)
        for name, size in zip(names, sizes, strict=True)
    ]
    return _figure(
        page,
        "Memory" if len(cells) == 1 else "Memory, side by side",
        rows,
        axis,
        "B",
        note="peak resident bytes, medians; the parts peak at times of their own" + _left_out(rows),
        header=("cell", "anonymous", "file-backed", "peak (kernel)"),
        table=[[entry.name, *(figure(value, "B") for value in size)] for entry, size in zip(cells, sizes, strict=True)],
        key=_key(),
    )


def sizes(page: Page, entry: Entry, most: int = _ROWS) -> str:
    """All other measured sizes (flash, RAM, stack of firmware), a bar each; the `most` largest."""
    items = [item for item in entry.report.measurements if item.unit == "B" and item.name not in _MEMORY]
    if not items:
        return ""
    values = [entry.summary(item).median for item in items]
    axis = fit_axis(values, _LEFT, _RIGHT, zero=True)
    rows = [_Row(item.name, _bar(axis, value), figure(value, "B")) for item, value in zip(items, values, strict=True)]
    shown = _largest(rows, values, most)
    note, table = "bytes, medians" + _unshown(rows, shown), [(row.name, row.value) for row in rows]
    return _figure(page, "Memory by kind", shown, axis, "B", note=note, header=("kind", "bytes"), table=table)


def layers(page: Page, entry: Entry, most: int = _ROWS) -> str:
    """Instructions per layer, in the order in which they run; the `most` largest."""
    table = layer_rows(entry.report)
    if not table:
        return ""
    counts = [
        repeated.median([float(value) for value in layer["instructions"]] or [0.0]) for layer in entry.report.layers
    ]
    axis = fit_axis(counts, _LEFT, _RIGHT, zero=True)
    rows = [_Row(name, _bar(axis, value), share) for (name, _, share), value in zip(table, counts, strict=True)]
    shown = _largest(rows, counts, most)
    note = "instructions of each, in the order in which they run, and the share of all" + _unshown(rows, shown)
    header = ("layer", "instructions", "share")
    return _figure(page, "Layers", shown, axis, "instructions", note=note, header=header, table=table)


def _figure(
    page: Page,
    name: str,
    rows: Sequence[_Row],
    axis: Axis,
    unit: str,
    *,
    note: str,
    header: Sequence[str],
    table: Sequence[Sequence[str]],
    key: str = "",
) -> str:
    """The figure of rows. `key`: a line above it that names the colours."""
    top = LINE + 4 if key else 2.0
    bottom = top + _ROW * min(len(rows), _ROWS)
    drawn = [key, across(axis, unit, top, bottom)]
    for at, row in enumerate(rows[:_ROWS]):
        y = top + at * _ROW
        drawn.append(
            f'<text x="0" y="{y + _LABEL:g}">{text(cut(row.name, WIDTH - 4))}</text>'
            f'<g transform="translate(0 {y + _LABEL + 4:g})">{row.marks}</g>'
            f'<text class="b e" x="{WIDTH:g}" y="{y + _LABEL + 4 + _BAR:g}">{text(row.value)}</text>'
        )
    height, told = bottom + LINE + 3, _describe_rows(rows)
    return page.figure(name, "".join(drawn), height, description=told, note=note, header=header, rows=table)


def _bar(axis: Axis, value: float) -> str:
    return f'<rect class="a" x="{axis.start:g}" y="0" width="{axis.at(value) - axis.start:.1f}" height="{_BAR:g}"/>'


def _stack(axis: Axis, anonymous: float | None, file: float | None, peak: float | None) -> str:
    """Bars of a process's memory; missing values are not drawn."""
    parts, start = [], 0.0
    for kind, value in (("a", anonymous), ("f", file)):
        if value is not None:
            x, end = axis.at(start), axis.at(start + value)
            parts.append(f'<rect class="{kind}" x="{x:.1f}" y="0" width="{end - x:.1f}" height="{_BAR:g}"/>')
            start += value
    if peak is not None:
        parts.append(f'<path class="k" d="M{axis.at(peak):.1f} -2v{_BAR + 4:g}"/>')
    return "".join(parts)


def _key() -> str:
    """The names of the parts, beside a mark of their colour."""
    parts, x = [], _LEFT
    for kind, name in (("a", "anonymous"), ("f", "file-backed"), ("k", "peak")):
        box = f'<rect class="{kind}" x="{x:g}" y="3" width="10" height="10"/>'
        parts.append(f'<path class="k" d="M{x + 5:g} 1v14"/>' if kind == "k" else box)
        parts.append(f'<text class="q" x="{x + 14:g}" y="{LINE - 2:g}">{name}</text>')
        x += 14 + breadth(name) + 12
    return "".join(parts)


def _whisker(axis: Axis, low: float | None, middle: float, high: float | None) -> str:
    y, x = _BAR / 2, axis.at(middle)
    line = "" if low is None or high is None else f'<path class="r" d="M{axis.at(low):.1f} {y:g}H{axis.at(high):.1f}"/>'
    return f'{line}<circle class="a" cx="{x:.1f}" cy="{y:g}" r="4"/>'


def _describe_rows(rows: Sequence[_Row]) -> str:
    """The first rows in words, for screen readers; the table has all of them."""
    more = f"; and {len(rows) - _DESCRIBED} more, in the table" if len(rows) > _DESCRIBED else ""
    return "; ".join(f"{row.name}: {row.value}" for row in rows[:_DESCRIBED]) + f"{more}."


def _left_out(rows: Sequence[_Row]) -> str:
    return f"; {len(rows) - _ROWS} more are in the table" if len(rows) > _ROWS else ""


def _largest(rows: Sequence[_Row], values: Sequence[float], most: int) -> list[_Row]:
    """The rows of the largest values, in their original order."""
    chosen = sorted(range(len(rows)), key=lambda at: values[at], reverse=True)[:most]
    return [rows[at] for at in sorted(chosen)]


def _unshown(rows: Sequence[_Row], shown: Sequence[_Row]) -> str:
    left = len(rows) - len(shown)
    return f"; the largest {len(shown)}, {left} more are in the table" if left else ""
