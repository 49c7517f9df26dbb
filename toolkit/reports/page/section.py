"""The section of a cell: its verdict, warnings, figures, and details of the measurement."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.errors import BadInput
from edgekit.reports.comparing.reports import apart, compare_reports, incomparable
from edgekit.reports.comparing.rows import Row
from edgekit.reports.page import bars
from edgekit.reports.page.distributions import Density, distributions
from edgekit.reports.page.elements import MEANING, Page, text
from edgekit.reports.page.entries import Entry, gate_rows, machine_name, verdict
from edgekit.reports.page.run import details
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
