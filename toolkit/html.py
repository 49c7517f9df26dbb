"""Reports as one HTML file that opens anywhere: no script, no network, light and dark, readable on a phone.

Everything in a report is somebody else's text (bundle names above all), so all of it goes through `_text`. The content
security policy says the same to the browser: styles from this file, and nothing else from anywhere.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgekit.bench import stats
from edgekit.compare import Row, compare, incomparable, ratio_cells
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.report import ESTIMATED, estimate_rows, figure, layer_rows, printable, rows, title

__all__ = ["render"]

_WIDTH, _MARGIN, _LANE = 640, 12, 18

#: More dots than this are not told apart; every n-th value and the largest are drawn then, and the
#: caption says so.
_DOTS = 400

_MEANING = {
    "device": "measured on the device itself",
    "host": "measured on this kind of machine, which is the target",
    "emulated": "from an emulator: right answers and exact counts, no times",
    "estimated": "computed from a model, not measured",
    "structural": "only the files were looked at",
}

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --dim: #59636e; --line: #d1d9e0; --dot: #0969da;
  --bad: #b3261e; --good: #1a7f37; --warn: #fff1e5; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --dim: #9198a1; --line: #3d444d;
  --dot: #58a6ff; --bad: #ff8a80; --good: #56d364; --warn: #3b2300; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1rem; }
h1, h2, h3 { line-height: 1.25; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.badge { display: inline-block; padding: 0 .6em; border: 1px solid; border-radius: 1em; font-size: .85rem; }
.warning { background: var(--warn); border-left: 4px solid var(--bad); padding: .5rem .75rem; margin: .5rem 0; }
.faster, .smaller, .pass { color: var(--good); }
.slower, .larger, .fail, .regressed { color: var(--bad); }
.regressed { font-weight: bold; }
.dim, figcaption { color: var(--dim); font-size: .85rem; }
figure { margin: .5rem 0; }
svg { width: 100%; height: auto; }
svg circle { fill: var(--dot); fill-opacity: .45; }
svg line { stroke: var(--line); }
svg .median { stroke: var(--text); stroke-width: 2; }
dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: .15rem 1rem; margin: .5rem 0; }
dt { color: var(--dim); }
dd { margin: 0; }
"""


def render(reports: Sequence[Report]) -> str:
    """One HTML document: a section per report, and each later report compared with the first.

    Raises:
        BadInput: there are no reports.
    """
    if not reports:
        raise BadInput("there is no report to show.", hint="Make one with: edgekit bench BUNDLE --out report.json")
    sections = "\n".join(_section(report, None if at == 0 else reports[0]) for at, report in enumerate(reports))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>edgekit report: {_text(", ".join(title(report) for report in reports))}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>edgekit report</h1>
{sections}
</body>
</html>
"""


def _section(report: Report, base: Report | None) -> str:
    badge = f'<span class="badge" title="{_text(_MEANING[report.fidelity])}">{_text(report.fidelity)}</span>'
    parts = [
        f"<h2>{_text(title(report))} {badge}</h2>",
        f'<p class="dim">{_text(_MEANING[report.fidelity])}; {report.threads} thread(s).</p>',
        *(f'<p class="warning">Warning: {_text(warning)}</p>' for warning in report.warnings),
        _verdict(report),
        _figures(report),
        *([_comparison(base, report)] if base else []),
        _titled("Layers", ("layer", "instructions", "share"), layer_rows(report)),
        _titled("Estimated, not measured", ESTIMATED, estimate_rows(report)),
        *(_distribution(item) for item in report.measurements if item.name.endswith("latency")),
        "<h3>Bundle</h3>" + _facts(report.bundle),
        "<h3>Machine</h3>" + _facts(report.host),
        "<h3>Versions</h3>" + _facts(report.versions),
        "<h3>Inputs</h3>" + "".join(_facts(item) for item in report.inputs),
    ]
    return "<section>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def _verdict(report: Report) -> str:
    """The gate's verdict, where the bundle carries one."""
    verdict = report.bundle.get("verdict")
    if not isinstance(verdict, str):
        return '<p>Accuracy gate: <span class="dim">not measured</span></p>'
    kind = verdict if verdict in ("pass", "fail") else "undecided"
    return f'<p>Accuracy gate: <strong class="{kind}">{_text(verdict)}</strong></p>'


def _figures(report: Report) -> str:
    header = ("measurement", "n", "median", "95 % interval", "p90", "p99")
    return _table(header, (_cells((name, *cells)) for name, cells in rows(report)))


def _titled(heading: str, header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A heading and its table; nothing where there are no rows."""
    return f"<h3>{heading}</h3>" + _table(header, (_cells(row) for row in cells)) if cells else ""


def _comparison(base: Report, report: Report) -> str:
    heading = f"<h3>Against {_text(title(base))}</h3>"
    reasons = incomparable(base, report)
    if reasons:
        return f'{heading}<p class="dim">Not comparable: {_text("; ".join(reasons))}.</p>'
    try:
        found = compare(base, report)
    except BadInput as exc:
        return f'{heading}<p class="dim">Not comparable: {_text(exc.message)}</p>'
    header = ("measurement", "base", "new", "ratio", "95 % interval", "verdict")
    return heading + _table(header, (_compared(row) for row in found))


def _compared(row: Row) -> str:
    kind = "regressed" if row.regressed else row.verdict.replace(" ", "-")
    cells = _cells((row.name, figure(row.base, row.unit), figure(row.new, row.unit), *ratio_cells(row)))
    return f'{cells}<td class="{_text(kind)}">{_text(row.verdict)}{" (regression)" if row.regressed else ""}</td>'


def _distribution(item: Measurement) -> str:
    """Every value as a dot: one lane per process, time from left (0) to right, the median of all as a line."""
    values = stats.pool(item.values)
    top = max(values) or 1.0
    step = 1 + (len(values) - 1) // _DOTS
    lanes = [group for group in item.values if group]
    height = _LANE * len(lanes) + 4

    def across(value: float) -> str:
        return f"{_MARGIN + value / top * (_WIDTH - 2 * _MARGIN):.1f}"

    dots = "".join(
        f'<circle cx="{across(value)}" cy="{_LANE * lane + _LANE // 2 + 2}" r="4"/>'
        for lane, group in enumerate(lanes)
        for value in (*group[::step], max(group))
    )
    middle = stats.median(values)
    label = f"{item.name}: {len(values)} values in {len(lanes)} process(es), 0 to {figure(top, item.unit)}"
    thinned = f"; one dot for every {step} values and the largest" if step > 1 else ""
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{_text(label)}">'
        f'<line x1="{_MARGIN}" y1="{height - 1}" x2="{_WIDTH - _MARGIN}" y2="{height - 1}"/>{dots}'
        f'<line class="median" x1="{across(middle)}" y1="0" x2="{across(middle)}" y2="{height}"/></svg>'
        f"<figcaption>{_text(label)}; the line is the median, {_text(figure(middle, item.unit))}{thinned}.</figcaption>"
        "</figure>"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    items = "".join(f"<dt>{_text(key)}</dt><dd>{_text(value)}</dd>" for key, value in facts.items())
    return f"<dl>{items}</dl>" if items else '<p class="dim">not measured</p>'


def _table(header: Iterable[str], body: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in header)
    lines = "\n".join(f"<tr>{cells}</tr>" for cells in body)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{_text(cell)}</td>" for cell in cells)


def _text(value: Any) -> str:
    """Anything as text that is safe in an element and in a quoted attribute."""
    return html.escape(printable(value), quote=True)
