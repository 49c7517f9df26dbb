"""A comparison as Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgekit.bench.processes.doubts import STEADIER
from edgekit.common.figures import printable
from edgekit.reports.comparing.matrices import Comparison, losses
from edgekit.reports.comparing.reports import apart
from edgekit.reports.comparing.rows import Row

_SIGNS = {"faster": "🟢", "smaller": "🟢", "better": "🟢", "equal": "", "cannot tell": "", "not measured": ""}


def markdown(comparisons: Sequence[Comparison]) -> str:
    """Regressions first, then a table per cell, then the reasons to distrust it. All text from reports is escaped:
    it can neither mention people, nor link, nor break the table."""
    worse = losses(comparisons)
    lines = [
        "### edgekit: " + (f"{len(worse)} regression{'s' if len(worse) > 1 else ''}" if worse else "no regression")
    ]
    lines += ["", *(f"- 🔴 {_text(text)}" for text in worse)] if worse else []
    for item in comparisons:
        lines += ["", f"#### {_text(item.label)}" + (f" ({_text(item.new.fidelity)})" if item.new else ""), ""]
        lines += _table(item.rows) if item.rows else [_text(item.note)]
        note = apart(item.base, item.new) if item.base and item.new else ""
        lines += ["", _text(f"Note: {note}.")] if note else []
        warnings = _warnings(item)
        if warnings:
            lines += ["", "<details><summary>reasons to distrust it</summary>", "", *warnings, "", "</details>"]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| measurement | base | new | ratio | 95 % interval | |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        sign = f"🔴 **{row.verdict}**" if row.regressed else f"{_SIGNS.get(row.verdict, '🟡')} {row.verdict}".strip()
        lines.append("| " + " | ".join(_text(cell) for cell in (row.name, *row.cells)) + f" | {sign} |")
    return lines


def _warnings(item: Comparison) -> list[str]:
    return [
        f"- {side}: {_text(warning)}"
        for side, report in (("base", item.base), ("new", item.new))
        if report is not None
        for warning in report.warnings
        if not warning.startswith(STEADIER)
    ]


def _text(text: str) -> str:
    """Text as it is: no HTML, no markup, no mention of people or issues."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", escaped)
