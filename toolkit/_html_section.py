"""The section of one cell: its verdict, warnings, figures, and how they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit import _html_bars as bars
from edgekit._html_distributions import distribution, timed
from edgekit._html_entries import Entry, gate_rows, machine_name, verdict
from edgekit._html_page import MEANING, Page, badge, facts, text
from edgekit.compare import Row, compare, incomparable, ratio_cells
from edgekit.errors import BadInput
from edgekit.report import ESTIMATED, estimate_rows, figure, printable, rows, title

_FIGURES = ("measurement", "n", "median", "95 % interval", "p90", "p99")


def section(page: Page, entry: Entry, base: Entry | None, most: int) -> str:
    """One cell as an article with a heading of level 3.

    Args:
        base: the cell that this one is compared with, None where there is none. most: values that a distribution draws.
    """
    report = entry.report
    how = f"{title(report)} on {machine_name(entry)}: {MEANING[report.fidelity]}."
    plots = [
        *(distribution(page, entry, item, most) for item in timed(entry)),
        bars.memory(page, [entry]),
        bars.sizes(page, entry),
        bars.layers(page, entry),
    ]
    return "\n".join(
        (
            f'<article id="cell-{entry.at}" aria-labelledby="name-{entry.at}">',
            f'<h3 id="name-{entry.at}">{text(entry.recipe)} {badge(report.fidelity)}</h3>',
            f'<p class="dim">{text(how)}</p>',
            _warnings(report.warnings),
            _verdict(page, entry),
            page.table(f"Measured: {entry.name}", _FIGURES, ((name, *cells) for name, cells in rows(report))),
            f'<div class="plots">{"".join(plots)}</div>' if any(plots) else "",
            page.table(
                "Estimated, not measured",
                ESTIMATED,
                estimate_rows(report),
                words=(3,),
                note="ranges that were computed from what was counted",
            ),
            _comparison(page, entry, base) if base else "",
            _details(entry),
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
        found = [] if reasons else compare(base.report, entry.report)
    except BadInput as exc:
        reasons = [exc.message]
    if reasons:
        return f'<p class="dim">{against}: not comparable: {text("; ".join(reasons))}.</p>'
    header = ("measurement", "base", "new", "ratio", "95 % interval", "verdict")
    table = page.table(f"Against {base.name}", header, (_compared(row) for row in found), raw=(5,))
    return f"<p>{against}:</p>{table}"


def _compared(row: Row) -> Sequence[str]:
    kind = "regressed" if row.regressed else row.verdict.replace(" ", "-")
    words = f"{row.verdict} (regression)" if row.regressed else row.verdict
    cells = (row.name, figure(row.base, row.unit), figure(row.new, row.unit), *ratio_cells(row))
    return (*cells, f'<span class="{kind}">{words}</span>')


def _details(entry: Entry) -> str:
    """How it was measured, for those who ask."""
    report = entry.report
    run = report.host.get("run")
    known: Mapping[str, object] = {key: item for key, item in report.bundle.items() if key != "gate"}
    blocks = [("Bundle", facts(known)), *((f"Input {at}", facts(item)) for at, item in enumerate(report.inputs, 1))]
    if isinstance(run, Mapping):
        blocks.append(("Run", facts(run)))
    blocks += [(f"Output {at}", f"<p>{text(output)}</p>") for at, output in enumerate(report.outputs, 1)]
    inner = "".join(f"<p><strong>{name}</strong></p>{block}" for name, block in blocks)
    name = printable(entry.name)
    return (
        f'<details><summary>Bundle, inputs and run<span class="hush">: {text(name)}</span></summary>{inner}</details>'
    )
