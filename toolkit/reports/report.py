"""Reports: write one, read one back strictly, and show one to a person.

A report file is JSON with ``"schema": 1`` and holds raw values only; every statistic is derived when it is read. It
comes from outside when it is read (copied between machines, edited by hand), so nothing in it is trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgekit.bench.statistics import repeated
from edgekit.benchmarking.synthetic import is_synthetic
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.common.files import write_whole
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput, boundary

if TYPE_CHECKING:
    from rich.console import Group

__all__ = [
    "ESTIMATED",
    "EXPECTED",
    "PER_INPUT",
    "SCHEMA",
    "Summary",
    "check",
    "decode",
    "estimate_rows",
    "layer_rows",
    "load",
    "read",
    "rows",
    "save",
    "schema_of",
    "strata",
    "summary",
    "table",
    "title",
    "typed",
]

SCHEMA = 1
#: Rows that every report shows, measured or not.
EXPECTED = ("load.cold", "end_to_end.latency", "rss.peak", "rss.anonymous", "rss.file")

#: Columns of what was not measured.
ESTIMATED = ("quantity", "at least", "at most", "basis")

#: Measurements whose values cycle through the inputs (`edgekit.bench.processes.run.measure`).
PER_INPUT = ("end_to_end.latency", "rtf")

#: A report is a few hundred kilobytes at most; whatever is larger than this is something else.
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Summary:
    """Statistics of one measurement, in its unit. None: too few values to say.

    Attributes:
        n, processes: numbers of values and of processes.
        median: of the processes' medians (`edgekit.bench.statistics.repeated.middle`).
        low, high: 95 % interval of the median.
        p90, p99: the bad tail (for ``better="higher"``, the 10th and 1st percentile); from 10 and 100 values on.
    """

    n: int
    processes: int
    median: float
    low: float | None
    high: float | None
    p90: float | None
    p99: float | None


def save(report: Report, path: Path) -> None:
    """Write a report as JSON, whole or not at all.

    Raises:
        BadInput: the report holds what `load` would refuse, or the folder cannot be written.
    """
    check(report, "the report")
    text = msgspec.json.format(msgspec.json.encode(report), indent=1)
    with boundary():
        write_whole(Path(path), text + b"\n")


def load(path: Path) -> Report:
    """Read a report that `save` wrote.

    Raises:
        BadInput: no such file, no report, a report of a newer edgekit, or values that no measurement can give.
    """
    return decode(read(Path(path)), str(path))


def read(path: Path) -> bytes:
    """The bytes of a file that may be a report.

    Raises:
        BadInput: no such file, or too large to be one.
    """
    with boundary():
        size = path.stat().st_size
        if size > _LARGEST:
            raise BadInput(f"{path} is {size / 1e6:.0f} MB large: that is no report.")
        return path.read_bytes()


def summary(measurement: Measurement, groups: int = 1) -> Summary:
    """Statistics of a measurement.

    Args:
        groups: the number of inputs through which its values cycle, as `strata` tells.
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
    """The number of inputs through which a measurement's values cycle; 1 where they do not."""
    count = len(report.inputs)
    whole = count > 0 and all(len(group) % count == 0 for group in measurement.values)
    return count if measurement.name in PER_INPUT and whole else 1


def title(report: Report) -> str:
    """The bundle's name for people."""
    return printable(report.bundle.get("name") or report.bundle.get("model") or "bundle")


def table(report: Report) -> Group:
    """A report for a terminal: warnings first, then what was measured how and where, then a row per measurement."""
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
    return Group(*lines, heading, machine, grid, notes, *_layers(report), *_estimates(report))


def layer_rows(report: Report) -> list[tuple[str, str, str]]:
    """What each layer took: name, instructions, share; empty where no device told."""
    counts = [(str(layer.get("name", "")), layer.get("instructions") or [0]) for layer in report.layers]
    medians = [(name, repeated.median([float(value) for value in values])) for name, values in counts]
    total = sum(count for _, count in medians)
    return [(printable(name), f"{count:,.0f}", f"{count / total:.1%}") for name, count in medians] if total else []


def estimate_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """What was computed and not measured: quantity, at least, at most, basis."""
    found = []
    for item in report.estimates:
        low, high = (figure(float(item.get(end, 0)), str(item.get("unit", "1"))) for end in ("low", "high"))
        found.append((printable(item.get("name")), low, high, printable(item.get("basis"))))
    return found


def _layers(report: Report) -> list[Any]:
    return _more(("layer", "instructions", "share"), layer_rows(report), right=(1, 2))


def _estimates(report: Report) -> list[Any]:
    """In a table of its own: it must not be read as measured."""
    return _more(ESTIMATED, estimate_rows(report), title="estimated, not measured")


def _more(
    header: Sequence[str], cells: Sequence[Sequence[str]], title: str | None = None, right: Sequence[int] = ()
) -> list[Any]:
    """A further table, after an empty line; nothing where it has no rows."""
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
        facts: gives the statistics of a measurement, for those who have them already; None: `summary`.
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


def schema_of(data: bytes, where: str, newest: int = SCHEMA) -> int:
    """The schema that a file names.

    Raises:
        BadInput: it names none, or one that no edgekit up to this one wrote.
    """
    head = typed(data, Any, where)
    number = head.get("schema") if isinstance(head, Mapping) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadInput(f"{where} is not an edgekit report: it names no schema.")
    if number > newest:
        raise BadInput(
            f"{where} was made by a newer edgekit (schema {number}, this one reads {newest}).",
            hint="Upgrade with: pip install -U edgekit",
        )
    if number < 1:
        raise BadInput(f"{where} has schema {number}, which no edgekit ever wrote.")
    return number


def decode(data: bytes, where: str) -> Report:
    """A report from its bytes.

    Raises:
        BadInput: as `load`.
    """
    if schema_of(data, where, newest=2) == 2:
        raise BadInput(
            f"{where} is a matrix of many cells, not a single report.", hint=f"Look at it with: edgekit report {where}"
        )
    report: Report = typed(data, Report, where)
    check(report, where)
    return report


def typed(data: bytes, kind: Any, where: str) -> Any:
    """JSON as `kind`, strictly.

    Raises:
        BadInput: it is not.
    """
    try:
        return msgspec.json.decode(data, type=kind, strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BadInput(
            f"{where} is not a readable report: {exc}.", hint="Make it again with: edgekit bench BUNDLE --out FILE"
        ) from exc


def check(report: Report, where: str) -> None:
    """Raise BadInput for what types cannot say: versions, and values that no measurement can have given."""
    if report.schema != SCHEMA:
        raise BadInput(f"{where} has schema {report.schema}, not {SCHEMA}.")
    if report.threads < 1:
        raise BadInput(f"{where} says that {report.threads} threads were used.")
    seen: set[str] = set()
    for item in report.measurements:
        if item.name in seen:
            raise BadInput(f"{where} has {item.name!r} twice.")
        seen.add(item.name)
        if not any(item.values):
            raise BadInput(f"{where} has no values for {item.name!r}; what was not measured must be absent.")
        _check_values(item.name, (*item.values, *item.warmups), where)
    for layer in report.layers:
        _check_numbers("a layer", layer.get("instructions"), where)
    for estimate in report.estimates:
        _check_numbers("an estimate", [estimate.get("low"), estimate.get("high")], where)


def _check_numbers(what: str, values: Any, where: str) -> None:
    """What the types leave open: JSON may hold anything there."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise BadInput(f"{where} has {what} without numbers.")
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        raise BadInput(f"{where} has {what} whose numbers are no numbers.")
    _check_values(what, [[float(value) for value in values]], where)


def _check_values(name: str, groups: Sequence[Sequence[float]], where: str) -> None:
    for group in groups:
        for value in group:
            if not math.isfinite(value) or value < 0.0:
                raise BadInput(f"{where} has the value {value} for {name!r}, which no measurement gives.")
