"""Compare two reports: each measurement is faster, slower, or "cannot tell".

The verdict on a time, a rate or the memory of a process comes from a 95 % interval of the ratio of medians
(`edgekit.bench.statistics.repeated.ratio_interval`): it differs only if the interval excludes 1 and the ratio is at
least 1 % away from it. The rate of false alarms is simulated in tests/toolkit/reports/test_false_alarms.py.

Counts have no noise and are compared exactly: bytes of files, what an emulator counts, accuracy, agreement. A
regression is a change for the worse by more than is accepted (of a count: any), or a measurement that is lost.
"""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgekit.bench.machine import host
from edgekit.common.figures import printable
from edgekit.core import Facts, Report, is_synthetic
from edgekit.errors import BadInput
from edgekit.reports.comparing import proofs
from edgekit.reports.comparing.rows import Row, compare_measurements, in_turns, is_count
from edgekit.reports.summary import BUNDLE_SIZE, title

if TYPE_CHECKING:
    from rich.console import Group

#: The default accepted loss: with ten processes a side, a true loss of 5 % is detected nine times in ten.
ALLOWED = 0.03


def parse_regression_limits(texts: Sequence[str]) -> dict[str, float]:
    """Pattern -> fraction, of the values of ``--max-regression``: ``0.05``, ``rss.peak=0.1``, ``latency=0.02``,
    ``load.*=off``. A name without a wildcard also matches metrics that end in ".NAME"; the last match counts. A
    fraction alone has the pattern "": it is for what matches no other, and is not for exact counts.

    Raises:
        BadInput: not of that form.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, named, value = text.rpartition("=")
        try:
            if named and not name:
                raise ValueError("no metric before the sign")
            limits.pop(name, None)  # the last value counts, also in order
            limits[name] = math.inf if value == "off" else float(value)
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
            from `parse_regression_limits`; for metrics that match no pattern `ALLOWED`, and nothing for exact counts.
        force: compare even if `incomparable` has reasons against it.

    Raises:
        BadInput: the reports are not comparable, or `max_regression` is not a fraction >= 0.
    """
    limits = max_regression if isinstance(max_regression, Mapping) else {"": max_regression}
    for limit in limits.values():
        if math.isnan(limit) or limit < 0.0 or (limit == math.inf and not isinstance(max_regression, Mapping)):
            raise BadInput(f"the accepted regression must be a fraction of at least 0, not {limit}.")
    reasons = incomparable(base, new)
    if reasons and not force:
        raise BadInput(
            f"these reports cannot be compared: {'; '.join(reasons)}.",
            hint="Measure both the same way on one machine, or compare all the same with --force.",
        )
    more = proofs.proofs(base, new)
    olds, news = ({item.name: item for item in side.measurements} | more[at] for at, side in enumerate((base, new)))
    names = [*olds, *(name for name in news if name not in olds)]
    rows = []
    for name in names:
        old, now = olds.get(name), news.get(name)
        exact = all(item is None or is_count(item, side) for item, side in ((old, base), (now, new)))
        rows.append(compare_measurements(old, now, (base, new), _limit(limits, name, exact=exact)))
    for name, words, fails in proofs.changed_verdicts(base, new):
        rows.append(Row(name, "1", None, None, None, None, None, words, fails and _limit(limits, name) < math.inf))
    return rows


def check_patterns(limits: Mapping[str, float], reports: Iterable[Report]) -> None:
    """Raise BadInput for a pattern of `parse_regression_limits` that matches no measurement of `reports`, with the
    nearest name: a limit that nothing can exceed is no limit."""
    known = {name for report in reports for name in (*(i.name for i in report.measurements), *proofs.names(report))}
    for pattern in filter(None, limits):
        if not any(_matches(pattern, name) for name in known):
            tails = {name.rpartition(".")[2] for name in known}
            near = difflib.get_close_matches(pattern, sorted(known | tails), n=1, cutoff=0.0)
            raise BadInput(
                f"--max-regression {pattern} matches no measurement of these reports.",
                hint=f"Did you mean {near[0]}?" if near else "They measured nothing.",
            )


def _matches(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or name.endswith(f".{pattern}")


def _limit(limits: Mapping[str, float], name: str, *, exact: bool = False) -> float:
    means = [limit for pattern, limit in limits.items() if pattern and _matches(pattern, name)]
    general = limits.get("", ALLOWED)
    # What a person gives for noise is not for counts. A whole bundle holds texts (README, golden answers), too.
    return means[-1] if means else 0.0 if exact and name != BUNDLE_SIZE and general < math.inf else general


def incomparable(base: Report, new: Report) -> list[str]:
    """Why two reports cannot be compared, in words; empty if they can."""
    reasons = proofs.other_bundle(base, new)
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
    return [*reasons, *proofs.other_data(base, new).values()]


def apart(base: Report, new: Report) -> str:
    """A note on times that were not measured in turns; "" if they were, or if there are no times.

    On a recorded virtual machine, two runs of ten processes of the same bundle differed in one case of
    three, and in turns in one of thirty (docs/bench.md): the interval of a single run does not cover slow changes.
    """
    timed = base.fidelity in ("host", "device") and any(item.unit == "s" for item in new.measurements)
    if not timed or in_turns(base, new):
        return ""
    return (
        "these were measured one after the other: what changed on the machine between them counts as a difference. "
        "In turns it does not: edgekit bench NEW --vs BASE"
    )


def regressions(rows: Sequence[Row]) -> list[Row]:
    """The rows that got worse by more than accepted."""
    return [row for row in rows if row.regressed]


def rows_json(rows: Sequence[Row]) -> list[Facts]:
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
        grid.add_row(Text(printable(row.name)), *map(Text, row.cells), Text(verdict, style=_style(row)))
    return Group(*lines, heading, grid)


def _identity(item: Facts) -> Any:
    """The identity of an input, independent of its path: its hash, if it has one."""
    return item.get("sha256") or dict(item)


def _style(row: Row) -> str:
    if row.regressed:
        return "bold red"
    if row.verdict in ("faster", "smaller", "better"):
        return "green"
    return "" if row.verdict in ("equal", "cannot tell", "not measured") else "yellow"
