"""The section of a cell: its verdict, warnings, figures, and details of the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.figures import printable
from edgekit.core import Facts
from edgekit.errors import BadInput
from edgekit.reports.comparing.reports import apart, compare_reports, incomparable
from edgekit.reports.comparing.rows import Row
from edgekit.reports.page import bars
from edgekit.reports.page.distributions import Density, distributions
from edgekit.reports.page.elements import MEANING, Page, facts, number, text
from edgekit.reports.page.entries import Entry, gate_rows, machine_name, verdict
from edgekit.reports.summary import ESTIMATED, estimate_rows, rows, title

_FIGURES = ("measurement", "n", "median", "95 % interval", "p90", "p99")


def section(page: Page, entry: Entry, base: Entry | None, most: Density) -> str:
    """A cell as an article with a heading of level 3.

    Args:
        base: the cell to compare with, or None. most: the density of its figures.
    """
    report = entry.report
    how = f"{title(report)} on {machine_name(entry)}: {MEANING[report.fidelity]}."
    measured = ((name, *cells) for name, cells in rows(report, entry.summary))
    plots = distributions(page, entry, most)
    return "\n".join(
        (
            f'<article id="cell-{entry.at}" aria-labelledby="name-{entry.at}">',
            f'<h3 id="name-{entry.at}">{text(entry.recipe)} {entry.badge}</h3>',
            f'<p class="dim">{text(how)}</p>',
            _warnings(report.warnings),
            _verdict(page, entry),
            page.table(f"Measured: {entry.name}", _FIGURES, measured),
            f'<div class="plots">{"".join(plots)}</div>' if plots else "",
            bars.sizes(page, entry),
            bars.layers(page, entry),
            page.table(
                "Estimated, not measured",
                ESTIMATED,
                estimate_rows(report),
                words=(3,),
                note="ranges that were computed from what was counted",
            ),
            _comparison(page, entry, base) if base else "",
            details(page, entry, most.lanes),
            "</article>",
        )
    )


def _warnings(warnings: Sequence[str]) -> str:
    lines = "".join(f"<li>{text(warning)}</li>" for warning in warnings)
    return f'<div class="alarm"><strong>Warning</strong><ul>{lines}</ul></div>' if lines else ""


def _verdict(page: Page, entry: Entry) -> str:
    reason = entry.gate.get("reason")
    why = f": {text(reason)}" if isinstance(reason, str) and reason else ""
    line = f"<p>Accuracy gate: {verdict(entry)}{why}</p>"
    return line + page.table("Accuracy", ("quantity", "value"), gate_rows(entry))


def _comparison(page: Page, entry: Entry, base: Entry) -> str:
    against = f"Against {base.link()}"
    reasons = incomparable(base.report, entry.report)
    try:
        differences = [] if reasons else compare_reports(base.report, entry.report)
    except BadInput as exc:
        reasons = [exc.message]
    if reasons:
        return f'<p class="dim">{against}: not comparable: {text("; ".join(reasons))}.</p>'
    header = ("measurement", "base", "new", "ratio", "95 % interval", "verdict")
    table = page.table(f"Against {base.name}", header, (_comparison_row(row) for row in differences), raw=(5,))
    note = apart(base.report, entry.report)
    remark = f'<p class="dim">Note: {text(note)}.</p>' if note else ""
    return f"<p>{against}:</p>{remark}{table}"


def _comparison_row(row: Row) -> Sequence[str]:
    kind = "regressed" if row.regressed else row.verdict.replace(" ", "-")
    words = f"{row.verdict} (regression)" if row.regressed else row.verdict
    cells = (row.name, *row.cells)
    return (*cells, f'<span class="{kind}">{words}</span>')


#: Facts of a run that hold an item per process: they are a table.
_PER_PROCESS = ("sections", "states", "loops", "calls", "exits")


def details(page: Page, entry: Entry, most: int) -> str:
    """The details, folded behind a heading. most: number of listed processes."""
    report, run = entry.report, entry.report.host.get("run")
    known = {key: item for key, item in report.bundle.items() if key != "gate"}
    blocks = [("Bundle", facts(known)), *((f"Input {at}", facts(item)) for at, item in enumerate(report.inputs, 1))]
    if isinstance(run, Mapping):
        blocks.append(("Run", facts({key: item for key, item in run.items() if key not in _PER_PROCESS})))
        blocks.append(("Processes", _table(page, entry.name, processes(run), most)))
    blocks += [(f"Output {at}", f"<p>{text(output)}</p>") for at, output in enumerate(report.outputs, 1)]
    inner = "".join(f"<p><strong>{name}</strong></p>{block}" for name, block in blocks if block)
    name = text(printable(entry.name))
    return f'<details><summary>Bundle, inputs and run<span class="hush">: {name}</span></summary>{inner}</details>'


def processes(run: Facts) -> list[dict[str, float]]:
    """Known facts per process: seconds measured, cores that it used and that others used, cores that a hypervisor
    took, rounds, load average before it, frequency (MHz) and temperature (degrees Celsius) after it, throttlings."""
    sections, states, loops = (_items(run.get(name)) for name in ("sections", "states", "loops"))
    rows = []
    for at in range(max(len(sections), len(states))):
        section = _facts(sections[at] if at < len(sections) else None)
        pair = _items(states[at]) if at < len(states) else []
        before, after = (_facts(pair[side]) if len(pair) == 2 else {} for side in (0, 1))
        wall, own = section.get("wall", 0.0), section.get("cpu")
        busy = section.get("busy")
        rates = {
            "cores it had": own,
            "cores of others": None if busy is None or own is None else max(0.0, busy - own),
            "cores stolen": section.get("steal"),
        }
        row = {"seconds": section.get("wall"), **{name: _share(value, wall) for name, value in rates.items()}}
        row |= {"rounds": number(loops[at]) if at < len(loops) else None, "load before": before.get("load_average")}
        row |= {"MHz": after.get("frequency"), "°C": after.get("temperature")}
        if "throttled" in before and "throttled" in after:
            row["throttled"] = max(0.0, after["throttled"] - before["throttled"])
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


def _table(page: Page, name: str, rows: Sequence[Mapping[str, float]], most: int) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    left = len(rows) - most
    return page.table(
        f"Processes: {name}",
        ("process", *columns),
        (
            [str(at), *(f"{row[key]:.3g}" if key in row else "-" for key in columns)]
            for at, row in enumerate(rows[:most], 1)
        ),
        note=f"the first {most}; {left} more are in the report" if left > 0 else "",
    )


def _share(seconds: float | None, wall: float) -> float | None:
    return seconds / wall if seconds is not None and wall > 0.0 else None


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else []


def _facts(value: Any) -> dict[str, float]:
    """The numbers of a JSON object."""
    known = value.items() if isinstance(value, Mapping) else ()
    return {str(key): fact for key, item in known if (fact := number(item)) is not None}
