"""Matrices: a file with a cell per model, target, precision and number of threads, measured or with a reason why not.

The file is JSON with ``"schema": 3``; each measured cell holds a whole report (`edgekit.reports.report`, schema 1),
raw values included. A file with a single report reads as a matrix of one cell.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edgekit.bench.statistics import repeated
from edgekit.common.figures import NOT_MEASURED, figure, printable
from edgekit.common.files import write_whole
from edgekit.core import Report, is_synthetic
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.reports import report as reports
from edgekit.reports.summary import strata
from edgekit.runtimes.resolved import runtime_once

if TYPE_CHECKING:
    from rich.console import Group

SCHEMA = 3
#: The schema whose cells name an exporter.
_BY_EXPORTER = 2

#: "refused": this model cannot be on that target in that precision. "failed": an error, with its reason. "crashed":
#: the process died. "hung" and "out of memory": it was killed at the limit. "not measured": nothing here could.
Outcome = Literal["measured", "refused", "failed", "crashed", "hung", "out of memory", "not measured"]

#: The identity of a cell, by which two matrices are compared.
Key = tuple[str, str, str, str, int, str]


@dataclass(frozen=True)
class Cell:
    """A combination and its outcome.

    Attributes:
        threads: 1 if the target's device decides. device: ``"host"``, or the target's own (``"qemu"``).
        reason: why it was not measured. hint: the next command.
        report: of a measured cell, else None. worker: the pool's machine that measured it; "" for this machine.
    """

    model: str
    target: str
    runtime: str
    precision: str
    threads: int
    device: str
    outcome: Outcome
    reason: str = ""
    hint: str = ""
    report: Report | None = None
    worker: str = ""


@dataclass(frozen=True)
class Matrix:
    """The plan (models, targets, precisions, threads, processes, ...), and a cell for each combination."""

    schema: int
    plan: Mapping[str, Any]
    cells: tuple[Cell, ...]


def key(cell: Cell) -> Key:
    """What identifies the cell within its matrix."""
    return cell.model, cell.target, cell.runtime, cell.precision, cell.threads, cell.device


def label(cell: Cell) -> str:
    """The cell's name for people, safe on a terminal."""
    words = " ".join(word for word in (cell.model, cell.target, cell.runtime, cell.precision) if word)
    return printable(f"{words}, {cell.threads} thread{'s' if cell.threads != 1 else ''}")


def of(report: Report) -> Matrix:
    """A single report as a matrix of one cell."""
    model, target, runtime, precision, exporter = (
        str(report.bundle.get(name, "")) for name in ("model", "target", "runtime", "precision", "exporter")
    )
    runtime = runtime or _runtime(exporter)
    device = "host" if report.fidelity == "host" else report.fidelity
    return Matrix(
        SCHEMA, {}, (Cell(model, target, runtime, precision, report.threads, device, "measured", report=report),)
    )


def _runtime(exporter: str) -> str:
    """The runtime of a cell that names an exporter, as those before schema 3 do."""
    with contextlib.suppress(Unsupported):
        return runtime_once(exporter) if exporter else ""
    return exporter


def save(matrix: Matrix, path: Path) -> None:
    """Write a matrix as JSON, whole or not at all.

    Raises:
        BadInput: it holds what `load` would refuse, or the folder cannot be written.
    """
    check(matrix, "the matrix")
    with boundary():
        write_whole(Path(path), msgspec.json.format(msgspec.json.encode(matrix), indent=1) + b"\n")


def load(path: Path) -> Matrix:
    """Read what `save` or `edgekit.reports.report.save` wrote.

    Raises:
        BadInput: no such file, neither of the two, of a newer edgekit, or with values that no measurement can give.
    """
    path = Path(path)
    data = reports.read(path)
    schema = reports.schema_of(data, str(path), newest=SCHEMA)
    if schema == 1:
        return of(reports.decode(data, str(path)))
    if schema == _BY_EXPORTER:
        data = _upgrade_schema(reports.decode_json(data, dict[str, Any], str(path)))
    matrix: Matrix = reports.decode_json(data, Matrix, str(path))
    check(matrix, str(path))
    return matrix


def _upgrade_schema(matrix: dict[str, Any]) -> bytes:
    """A matrix of schema 2, whose cells name exporters, as one of today."""
    cells = matrix.get("cells")
    for cell in (
        cell for cell in (cells if isinstance(cells, list) else ()) if isinstance(cell, dict) and "exporter" in cell
    ):
        cell["runtime"] = _runtime(str(cell.pop("exporter")))
    return msgspec.json.encode({**matrix, "schema": SCHEMA})


def check(matrix: Matrix, where: str) -> None:
    """Raise BadInput for an empty matrix, two equal cells, or an invalid report."""
    if not matrix.cells:
        raise BadInput(
            f"{where} has no cells: nothing was measured.", hint="Make it again with: edgekit bench --models A,B"
        )
    seen: set[Key] = set()
    for cell in matrix.cells:
        if key(cell) in seen:
            raise BadInput(f"{where} has the cell {label(cell)!r} twice.")
        seen.add(key(cell))
        if (cell.report is not None) != (cell.outcome == "measured"):
            raise BadInput(
                f"{where}: {label(cell)!r} is {cell.outcome!r} and {'has' if cell.report else 'lacks'} a report."
            )
        if cell.report is not None:
            reports.check(cell.report, f"{where}, {label(cell)}")


def table(matrix: Matrix) -> Group:
    """A matrix as a table for a terminal, a line per cell; below, the reasons of cells that were not measured."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("model", "target", "precision"):
        grid.add_column(column, overflow="fold")
    for column in ("threads", "size", "speed", "95 % interval", "peak RSS"):
        grid.add_column(column, justify="right")
    grid.add_column("how")
    notes = []
    for cell in matrix.cells:
        shown = (printable(cell.model), printable(cell.target), printable(cell.precision), str(cell.threads))
        doubtful = cell.report is not None and bool(cell.report.warnings)
        noise = cell.report is not None and is_synthetic(cell.report.inputs)
        how = cell.outcome if cell.report is None else cell.report.fidelity + (", synthetic inputs" if noise else "")
        how += " (!)" if doubtful else ""
        style = "bold red" if cell.report is None else "yellow" if doubtful else ""
        grid.add_row(*(Text(text) for text in (*shown, *_cells(cell.report))), Text(how, style=style))
        if cell.report is None:
            notes.append(Text(f"{label(cell)}: {cell.outcome}: {printable(cell.reason)}", style="red"))
        notes += [Text(f"{label(cell)}: {printable(text)}", style="yellow") for text in _warnings(cell.report)]
    return Group(grid, Text(""), *notes) if notes else Group(grid)


def _cells(report: Report | None) -> tuple[str, str, str, str]:
    """Size, latency (a language model: tokens per second), its interval and peak memory, as texts."""
    if report is None:
        return "-", NOT_MEASURED, "-", "-"
    known = {item.name: item for item in report.measurements}
    size = report.bundle.get("size")
    latency = next((known[name] for name in ("end_to_end.latency", "tg128") if name in known), None) or next(
        (item for item in report.measurements if item.name.endswith(("instructions", "latency"))), None
    )
    memory = known.get("rss.peak")
    peak = figure(repeated.middle(memory.values), memory.unit) if memory else NOT_MEASURED
    shown = figure(size, "B") if isinstance(size, (int, float)) else "-"
    if latency is None:
        return shown, NOT_MEASURED, "-", peak
    inputs = strata(report, latency)
    bounds = repeated.interval(latency.values, strata=inputs)
    between = " .. ".join(figure(bound, latency.unit) for bound in bounds) if bounds else "-"
    return shown, figure(repeated.middle(latency.values, inputs), latency.unit), between, peak


def _warnings(report: Report | None) -> list[str]:
    """The first warning of a report and the number of the others: a table has no room for all."""
    if report is None or not report.warnings:
        return []
    more = len(report.warnings) - 1
    return [report.warnings[0] + (f" (and {more} more: edgekit report shows them)" if more else "")]
