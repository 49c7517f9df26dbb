"""Compare two reports: each measurement is faster, slower, or "cannot tell".

The verdict comes from a 95 % interval of the ratio of medians (`edgekit.bench.statistics.repeated.ratio_interval`):
a measurement differs only if the interval excludes 1 and the ratio is at least 1 % away from it. A
regression is a change for the worse by more than is accepted. The rate of false alarms is simulated in
tests/toolkit/reports/test_false_alarms.py.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from edgekit.bench.machine import host
from edgekit.bench.statistics import repeated
from edgekit.common.figures import figure, printable
from edgekit.core import Measurement, Report, is_synthetic
from edgekit.errors import BadInput
from edgekit.reports.summary import strata, title

if TYPE_CHECKING:
    from rich.console import Group

__all__ = [
    "ALLOWED",
    "LEAST",
    "Row",
    "Verdict",
    "allowed",
    "apart",
    "compare_reports",
    "incomparable",
    "ratio_cells",
    "regressed",
    "rows_json",
    "table",
]

#: The default accepted loss: with ten processes a side, a true loss of 5 % is detected nine times in ten.
ALLOWED = 0.03

#: Smaller changes are not reported. The place of a process in memory, or a page more or less, moves values by as
#: much (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009), and two
#: measurements of the same bundle must not come out as different.
LEAST = 0.01

#: Sizes get smaller and larger, everything else faster and slower.
Verdict = Literal["faster", "slower", "smaller", "larger", "cannot tell", "not measured"]


@dataclass(frozen=True)
class Row:
    """The comparison of a measurement.

    Attributes:
        base, new: medians in `unit`, None if the report lacks the measurement.
        ratio: new / base, with its 95 % interval `low` to `high`; None if it is not defined.
        regressed: clearly worse, and by more than accepted.
    """

    name: str
    unit: str
    base: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    regressed: bool


def allowed(texts: Sequence[str]) -> dict[str, float]:
    """Pattern -> fraction, of the values of ``--max-regression``: ``0.05``, ``rss.peak=0.1``, ``latency=0.02``,
    ``load.*=off``. A name without a wildcard also matches metrics that end in ".NAME"; the last match counts.

    Raises:
        BadInput: not of that form.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, named, value = text.rpartition("=")
        try:
            if named and not name:
                raise ValueError("no metric before the sign")
            limits.pop(name or "*", None)  # the last value counts, also in order
            limits[name or "*"] = math.inf if value == "off" else float(value)
        except ValueError as exc:
            raise BadInput(
                f"--max-regression takes a fraction, or METRIC=FRACTION, not {text!r}.",
                hint="Such as --max-regression 0.05, latency=0.02, rss.peak=0.1 or load.*=off",
            ) from exc
    return limits


def compare_reports(
    base: Report, new: Report, *, max_regression: float | Mapping[str, float] = ALLOWED, force: bool = False
) -> list[Row]:
    """Compare `new` with `base`, a row per measurement of either, those of `base` first.

    Reports of the same session (`edgekit.benchmarking.benchmark.versus`) are compared by pairs of processes.

    Args:
        max_regression: the accepted loss as a fraction (0.05: 5 % slower or larger), or pattern -> fraction as
            from `allowed`; `ALLOWED` for metrics that match no pattern.
        force: compare even if `incomparable` has reasons against it.

    Raises:
        BadInput: the reports are not comparable, or `max_regression` is not a fraction >= 0.
    """
    limits = max_regression if isinstance(max_regression, Mapping) else {"*": max_regression}
    for limit in limits.values():
        if math.isnan(limit) or limit < 0.0 or (limit == math.inf and not isinstance(max_regression, Mapping)):
            raise BadInput(f"the accepted regression must be a fraction of at least 0, not {limit}.")
    reasons = incomparable(base, new)
    if reasons and not force:
        raise BadInput(
            f"these reports cannot be compared: {'; '.join(reasons)}.",
            hint="Measure both the same way on one machine, or compare all the same with --force.",
        )
    olds, news = ({item.name: item for item in report.measurements} for report in (base, new))
    names = [*olds, *(name for name in news if name not in olds)]
    return [_row(name, olds.get(name), news.get(name), (base, new), _limit(limits, name)) for name in names]


def _limit(limits: Mapping[str, float], name: str) -> float:
    means = [
        limit for pattern, limit in limits.items() if fnmatch.fnmatchcase(name, pattern) or name.endswith(f".{pattern}")
    ]
    return means[-1] if means else ALLOWED


def _in_turns(base: Report, new: Report) -> bool:
    """Whether their processes took turns in the same session."""
    runs = [report.host.get("run") for report in (base, new)]
    sessions = [facts.get("session") if isinstance(facts, Mapping) else None for facts in runs]
    return isinstance(sessions[0], str) and bool(sessions[0]) and sessions[0] == sessions[1]


def incomparable(base: Report, new: Report) -> list[str]:
    """Why two reports cannot be compared, in words; empty if they can."""
    reasons = []
    if base.schema != new.schema:
        reasons.append(f"their schemas differ ({base.schema} and {new.schema})")
    if base.fidelity != new.fidelity:
        reasons.append(f"their fidelities differ ({base.fidelity}; {new.fidelity})")
    for key in host.differences(base.host, new.host):
        before, after = printable(base.host.get(key)), printable(new.host.get(key))
        reasons.append(f"the machines differ in {key} ({before}; {after})")
    if base.threads != new.threads:
        reasons.append(f"their numbers of threads differ ({base.threads}; {new.threads})")
    noise = [is_synthetic(report.inputs) for report in (base, new)]
    if noise[0] != noise[1]:
        reasons.append("only one of them was measured on synthetic inputs")
    elif [_identity(item) for item in base.inputs] != [_identity(item) for item in new.inputs]:
        reasons.append("their inputs differ")
    return reasons


def apart(base: Report, new: Report) -> str:
    """A note on times that were not measured in turns; "" if they were, or if there are no times.

    On a recorded virtual machine, two runs of ten processes of the same bundle differed in one case of
    three, and in turns in one of thirty (docs/bench.md): the interval of a single run does not cover slow changes.
    """
    timed = base.fidelity in ("host", "device") and any(item.unit == "s" for item in new.measurements)
    if not timed or _in_turns(base, new):
        return ""
    return (
        "these were measured one after the other: what changed on the machine between them counts as a difference. "
        "In turns it does not: edgekit bench NEW --vs BASE"
    )


def regressed(rows: Sequence[Row]) -> list[Row]:
    """The rows that got worse by more than accepted."""
    return [row for row in rows if row.regressed]


def rows_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as plain data for ``--json``."""
    return [asdict(row) for row in rows]


def table(base: Report, new: Report, rows: Sequence[Row]) -> Group:
    """The comparison for a terminal, with both reports' warnings first."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    lines = [
        Text(f"WARNING ({side}): {printable(warning)}", style="bold red")
        for side, report in (("base", base), ("new", new))
        for warning in report.warnings
    ]
    lines += [Text(f"WARNING: compared although {reason}.", style="bold red") for reason in incomparable(base, new)]
    if note := apart(base, new):
        lines.append(Text(f"note: {note}", style="yellow"))
    heading = Text(f"{title(base)} -> {title(new)}  [{base.fidelity}]", style="bold")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("measurement", overflow="fold")
    for column in ("base", "new", "ratio", "95 % interval"):
        grid.add_column(column, justify="right")
    grid.add_column("verdict")
    for row in rows:
        verdict = row.verdict.upper() + " (regression)" if row.regressed else row.verdict
        cells = (printable(row.name), figure(row.base, row.unit), figure(row.new, row.unit), *ratio_cells(row))
        grid.add_row(*(Text(cell) for cell in cells), Text(verdict, style=_style(row)))
    return Group(*lines, heading, grid)


def ratio_cells(row: Row) -> tuple[str, str]:
    """The ratio and its interval as texts."""
    ratio = "-" if row.ratio is None else f"{row.ratio:.3f}"
    return ratio, "-" if row.low is None or row.high is None else f"{row.low:.3f} .. {row.high:.3f}"


def _row(
    name: str, old: Measurement | None, new: Measurement | None, reports: tuple[Report, Report], limit: float
) -> Row:
    item = old or new
    assert item is not None, "a name comes from one of the two"
    before, after = (
        repeated.middle(item.values, strata(report, item)) if item else None
        for item, report in zip((old, new), reports, strict=True)
    )
    if old is None or new is None:
        return Row(name, item.unit, before, after, None, None, None, "not measured", False)
    if (old.unit, old.better) != (new.unit, new.better):
        raise BadInput(f"{name!r} is in {old.unit} ({old.better} is better) in one report and {new.unit} in the other.")
    groups = strata(reports[0], old)
    groups = groups if groups == strata(reports[1], new) else 1
    paired = _in_turns(*reports) and len(old.values) == len(new.values)
    ratio = repeated.ratio(old.values, new.values, strata=groups, paired=paired)
    bounds = repeated.ratio_interval(old.values, new.values, strata=groups, paired=paired)
    low, high = bounds or (None, None)
    verdict, worse = _verdict(old, ratio, low, high)
    # For rates, 5 % worse is a ratio of 1 / 1.05: the same work then takes 5 % longer.
    loss = math.inf if not ratio else ratio if old.better == "lower" else 1.0 / ratio
    return Row(name, old.unit, before, after, ratio, low, high, verdict, worse and loss > 1.0 + limit)


def _verdict(item: Measurement, ratio: float | None, low: float | None, high: float | None) -> tuple[Verdict, bool]:
    """The verdict, and whether it is a change for the worse."""
    if ratio is None or low is None or high is None or low <= 1.0 <= high or abs(ratio - 1.0) < LEAST:
        return "cannot tell", False
    worse = (low > 1.0) == (item.better == "lower")
    if item.unit == "B":
        return ("larger" if worse else "smaller"), worse
    return ("slower" if worse else "faster"), worse


def _identity(item: Mapping[str, Any]) -> Any:
    """The identity of an input, independent of its path: its hash, if it has one."""
    return item.get("sha256") or dict(item)


def _style(row: Row) -> str:
    if row.regressed:
        return "bold red"
    return {"faster": "green", "smaller": "green", "slower": "yellow", "larger": "yellow"}.get(row.verdict, "")
