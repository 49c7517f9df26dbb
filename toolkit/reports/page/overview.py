"""The overview of a page: warnings first, then a table and the figures side by side for each
machine and fidelity, then the cells that were not measured, and the machines."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.bench.processes.doubts import STEADIER
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.core import Facts
from edgekit.reports.cells import Cell
from edgekit.reports.page import bars
from edgekit.reports.page.elements import MEANING, Page, badge, facts, text
from edgekit.reports.page.entries import Entry, accuracy, group_cells, machine_name, verdict, with_interval

#: Most cells that a warning names; the others are counted.
_NAMED = 8


def warnings(entries: Sequence[Entry], unmeasured: Sequence[Cell]) -> str:
    """The warnings of all cells, grouped by kind with the first as an example; empty without warnings.

    Hints for steadier measurements are not listed here, but with their cell.
    """
    kinds: dict[str, list[tuple[Entry, str]]] = {}
    for entry in entries:
        for warning in dict.fromkeys(entry.report.warnings):
            if not warning.startswith(STEADIER):
                kinds.setdefault(warning.partition(":")[0], []).append((entry, warning))
    lines = [_warning(group) for group in kinds.values()]
    if unmeasured:
        single = len(unmeasured) == 1
        words = f"{len(unmeasured)} cell{' was' if single else 's were'} not measured"
        lines.insert(0, f'<li><strong><a href="#not-measured">{words}</a></strong></li>')
    if not lines:
        return ""
    return (
        '<section class="alarm" aria-labelledby="warnings"><h2 id="warnings">Warnings</h2>'
        f"<ul>{''.join(lines)}</ul></section>"
    )


def _warning(group: Sequence[tuple[Entry, str]]) -> str:
    """A kind of warning and its cells."""
    cells = list({entry.at: entry for entry, _ in group}.values())
    names = ", ".join(entry.link() for entry in cells[:_NAMED])
    names += f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
    words = f"{len(cells)} cells" + ("" if len({warning for _, warning in group}) == 1 else ", the first of them")
    count = f' <span class="dim">({words})</span>' if len(cells) > 1 else ""
    return f"<li><strong>{text(group[0][1])}</strong>{count}<br>{names}</li>"


def overview(page: Page, entries: Sequence[Entry]) -> str:
    """A table and figures for every machine: no column mixes machines or fidelities."""
    return "".join(_machine(page, group) for group in group_cells(entries, lambda entry: entry.machine))


def _machine(page: Page, group: Sequence[Entry]) -> str:
    first = group[0]
    tables = [_table(page, entries) for entries in group_cells(group, lambda entry: entry.cost and entry.cost.name)]
    return (
        f"<h3>{text(machine_name(first))} {first.badge}</h3>"
        f'<p class="dim">{text(MEANING[first.report.fidelity])}</p>{"".join(tables)}{bars.memory(page, group)}'
    )


def _table(page: Page, group: Sequence[Entry]) -> str:
    """The table of cells whose cost is the same measurement, with bars of the cost and its interval."""
    cost = group[0].cost
    processes = any("rss.peak" in entry.measurements_by_name for entry in group)
    memory = "rss.peak" if processes else "footprint.ram"
    header = ("cell", "gate", "accuracy", cost.name if cost else "latency", "95 % interval")
    costs = [entry.summary(item) if (item := entry.cost) else None for entry in group]
    axis = bars.fit_bars([end for stats in costs if stats for end in (stats.median, stats.high)])
    rows = []
    for entry, stats in zip(group, costs, strict=True):
        middle, ends = with_interval(entry, entry.cost) if entry.cost else (NOT_MEASURED, "-")
        shown = bars.bar(middle, axis, stats if len(group) > 1 else None)
        sizes = (figure(entry.median(memory), "B"), figure(entry.size, "B"))
        doubts = str(len(entry.report.warnings) or "none")
        rows.append((entry.link(), verdict(entry), accuracy(entry), shown, ends, *sizes, doubts))
    return page.table(
        f"Cells: {machine_name(group[0])} ({group[0].report.fidelity})",
        (*header, "peak memory" if processes else "RAM", "bundle", "warnings"),
        rows,
        raw=(0, 1, 3),
    )


def not_measured(page: Page, cells: Sequence[Cell]) -> str:
    """The cells that were not measured, with their reasons; empty without such cells."""
    if not cells:
        return ""
    header = ("model", "target", "runtime", "precision", "threads", "device", "outcome", "reason", "next")
    rows = (
        (c.model, c.target, c.runtime, c.precision, str(c.threads), c.device, c.outcome, c.reason or "-", c.hint or "-")
        for c in cells
    )
    table = page.table("Cells that were not measured", header, rows, words=(7, 8))
    return f'<section aria-labelledby="not-measured"><h2 id="not-measured">Not measured</h2>{table}</section>'


def machines(entries: Sequence[Entry]) -> str:
    """Every machine with its versions once, and the cells measured there."""

    def here(entry: Entry) -> Facts:
        changing = ("run", "load_average", "frequency", "temperature", "time")
        return {key: value for key, value in entry.report.host.items() if key not in changing}

    groups = group_cells(entries, lambda entry: (printable(here(entry)), printable(entry.report.versions)))
    return "".join(
        f"<h3>{text(machine_name(group[0]))} {badge(group[0].report.fidelity)}</h3>"
        f'<p class="dim">Measured there: {", ".join(entry.link() for entry in group)}</p>'
        f"{facts(here(group[0]))}<p><strong>Versions</strong></p>{facts(group[0].report.versions)}"
        for group in groups
    )
