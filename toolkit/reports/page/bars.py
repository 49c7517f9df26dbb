"""Bars in the cells of tables: costs and memory of cells side by side, sizes, instructions per layer.

A bar starts at zero, and all bars of a table have one scale. It adds nothing to the figure above it, so screen readers
pass over it.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.bench.statistics import repeated
from edgekit.common.figures import figure
from edgekit.reports.page.axis import Axis, fit_axis
from edgekit.reports.page.elements import Page, text
from edgekit.reports.page.entries import Entry
from edgekit.reports.summary import Summary, layer_rows

_WIDE = 100.0

_MEMORY = {"rss.anonymous": "anonymous", "rss.file": "file-backed", "rss.peak": "peak (kernel)"}


def fit_bars(values: Sequence[float | None]) -> Axis:
    """The scale of bars that hold `values`, from zero."""
    return fit_axis([value for value in values if value is not None] or [0.0], 0.0, _WIDE, zero=True)


def bar(words: str, axis: Axis, value: float | Summary | None) -> str:
    """Words with a bar of `value` below them, as HTML. Statistics: of the median, with a line for its interval."""
    low, high = (value.low, value.high) if isinstance(value, Summary) else (None, None)
    end = value.median if isinstance(value, Summary) else value
    if end is None:
        return text(words)
    marks = f'<path class="a" d="M0 0H{axis.at(end):.1f}V8H0z"/>'
    if low is not None and high is not None:
        marks += f'<path class="k" d="M{axis.at(low):.1f} 4H{axis.at(high):.1f}"/>'
    return f'{text(words)}<svg viewBox="0 0 {_WIDE:g} 8" aria-hidden="true">{marks}</svg>'


def memory(page: Page, entries: Sequence[Entry]) -> str:
    """Memory of the processes of cells side by side; nothing for fewer than two cells."""
    cells = [entry for entry in entries if any(name in entry.measurements_by_name for name in _MEMORY)]
    if len(cells) < 2:
        return ""
    sizes = [[entry.median(name) for name in _MEMORY] for entry in cells]
    axis = fit_bars([size for row in sizes for size in row])
    rows = (
        [entry.name, *(bar(figure(size, "B"), axis, size) for size in row)]
        for entry, row in zip(cells, sizes, strict=True)
    )
    note = "peak resident bytes, medians; the parts peak at times of their own"
    return page.table("Memory, side by side", ("cell", *_MEMORY.values()), rows, note=note, raw=(1, 2, 3))


def sizes(page: Page, entry: Entry) -> str:
    """All measured sizes: memory of processes; flash, RAM and stack of firmware."""
    values = {item.name: entry.summary(item).median for item in entry.report.measurements if item.unit == "B"}
    axis = fit_bars(list(values.values()))
    rows = [(name, bar(figure(value, "B"), axis, value)) for name, value in values.items()]
    return page.table(f"Memory: {entry.name}", ("kind", "bytes"), rows, note="medians", raw=(1,))


def layers(page: Page, entry: Entry) -> str:
    """Instructions per layer, in the order in which they run."""
    counts = [repeated.median([float(n) for n in layer["instructions"]] or [0.0]) for layer in entry.report.layers]
    axis = fit_bars(counts)
    rows = [
        (name, count, bar(share, axis, value))
        for (name, count, share), value in zip(layer_rows(entry.report), counts, strict=False)
    ]
    note = "in the order in which they run, and the share of all"
    return page.table(f"Layers: {entry.name}", ("layer", "instructions", "share"), rows, note=note, raw=(2,))
