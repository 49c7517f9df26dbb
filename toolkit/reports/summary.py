"""A report as a table for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.bench.statistics import repeated
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.core import Measurement, Report, is_synthetic

if TYPE_CHECKING:
    from rich.console import Group


#: Bytes of all files of a bundle; those of a part are ``part.NAME.size``.
BUNDLE_SIZE = "bundle.size"

#: Rows that every report shows, measured or not.
EXPECTED = ("load.cold", "end_to_end.latency", "rss.peak", "rss.anonymous", "rss.file")


#: Columns of what was not measured.
ESTIMATED = ("quantity", "at least", "at most", "basis")


#: Measurements whose values cycle through the inputs (`edgekit.bench.processes.run.measure`).
PER_INPUT = ("end_to_end.latency", "rtf")


@dataclass(frozen=True)
class Summary:
    """Statistics of a measurement, in its unit. None: too few values.

    Attributes:
        n, processes: numbers of values and of processes.
        median: of the processes' medians (`edgekit.bench.statistics.repeated.middle`).
        low, high: 95 % interval of the median.
        p90, p99: the bad tail (for ``better="higher"``, the 10th and 1st percentile), with at least 10 and 100 values.
    """

    n: int
    processes: int
    median: float
    low: float | None
    high: float | None
    p90: float | None
    p99: float | None


def summary(measurement: Measurement, groups: int = 1) -> Summary:
    """Statistics of a measurement.

    Args:
        groups: the number of inputs through which its values cycle, from `strata`.
    """
    values = repeated.pool(measurement.values)
    low, high = repeated.interval(measurement.values, strata=groups) or (None, None)

    def tail(q: float, least: int) -> float | None:
        if len(values) < least:
            return None
        return repeated.percentile(values, q if measurement.better == "lower" else 100.0 - q)

    processes = sum(1 for group in measurement.values if group)
    return Summary(
        len(values), processes, repeated.middle(measurement.values, groups), low, high, tail(90.0, 10), tail(99.0, 100)
    )


def strata(report: Report, measurement: Measurement) -> int:
    """The number of inputs through which a measurement's values cycle; 1 if they do not."""
    count = len(report.inputs)
    whole = count > 0 and all(len(group) % count == 0 for group in measurement.values)
    return count if measurement.name in PER_INPUT and whole else 1


def title(report: Report) -> str:
    """The bundle's name for people."""
    return printable(report.bundle.get("name") or report.bundle.get("model") or "bundle")


def table(report: Report) -> Group:
    """A report for a terminal: warnings first, then bundle and machine, then a row per measurement."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    lines = [Text(f"WARNING: {printable(warning)}", style="bold red") for warning in report.warnings]
    noise = "  [synthetic inputs]" if is_synthetic(report.inputs) else ""
    heading = Text(f"{title(report)}  [{report.fidelity}]{noise}  {report.threads} thread(s)", style="bold")
    machine = Text(f"{printable(report.host.get('cpu'))}, {printable(report.host.get('release'))}")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("measurement", overflow="fold")
    for column in ("n", "median", "95 % interval", "p90", "p99"):
        grid.add_column(column, justify="right")
    for name, cells in rows(report):
        grid.add_row(Text(name), *(Text(cell) for cell in cells))
    notes = Text("- : too few values to say. Tails are the bad side: p10 and p1 where higher is better.", style="dim")
    layers = _more(("layer", "instructions", "share"), layer_rows(report), right=(1, 2))
    # In a table of its own: it must not be read as measured.
    estimates = _more(ESTIMATED, estimate_rows(report), title="estimated, not measured")
    return Group(*lines, heading, machine, grid, notes, *layers, *estimates)


def layer_rows(report: Report) -> list[tuple[str, str, str]]:
    """Rows per layer: name, instructions, share; empty if no device counted them."""
    counts = [(str(layer.get("name", "")), layer.get("instructions") or [0]) for layer in report.layers]
    medians = [(name, repeated.median([float(value) for value in values])) for name, values in counts]
    total = sum(count for _, count in medians)
    return [(printable(name), f"{count:,.0f}", f"{count / total:.1%}") for name, count in medians] if total else []


def estimate_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Rows of estimates, which were not measured: quantity, at least, at most, basis."""
    lines = []
    for item in report.estimates:
        low, high = (figure(float(item.get(end, 0)), str(item.get("unit", "1"))) for end in ("low", "high"))
        lines.append((printable(item.get("name")), low, high, printable(item.get("basis"))))
    return lines


def _more(
    header: Sequence[str], cells: Sequence[Sequence[str]], title: str | None = None, right: Sequence[int] = ()
) -> list[Any]:
    """A further table, after an empty line; nothing without rows."""
    from rich.table import Table
    from rich.text import Text

    if not cells:
        return []
    grid = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for i, column in enumerate(header):
        grid.add_column(column, overflow="fold", justify="right" if i in right else "left")
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    return [Text(""), grid]


def rows(report: Report, facts: Callable[[Measurement], Summary] | None = None) -> list[tuple[str, list[str]]]:
    """Per measurement, its name and the cells n, median, interval, p90, p99 as texts; expected but absent ones too.

    Args:
        facts: measurement -> its statistics, if they are known already; None: `summary`.
    """
    find = facts or (lambda item: summary(item, strata(report, item)))
    known = {measurement.name: measurement for measurement in report.measurements}
    absent = ["-", NOT_MEASURED, "-", "-", "-"]
    expected: tuple[str, ...] = (
        EXPECTED if report.fidelity in ("host", "device") else ()
    )  # an emulator has no milliseconds
    if "tg128" in known:  # of a language model, an answer of no certain length has no latency
        expected = (*(name for name in known if name not in EXPECTED[1:]), *EXPECTED[2:])
    names = (*expected, *(name for name in known if name not in expected))
    return [
        (printable(name), _cells(find(known[name]), known[name].unit) if name in known else absent) for name in names
    ]


def _cells(facts: Summary, unit: str) -> list[str]:
    bounds = "-" if facts.low is None else f"{figure(facts.low, unit)} .. {figure(facts.high, unit)}"
    tails = ["-" if value is None else figure(value, unit) for value in (facts.p90, facts.p99)]
    return [str(facts.n), figure(facts.median, unit), bounds, *tails]
