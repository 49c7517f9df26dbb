"""Compare two matrices, cell by cell; a file with a single report is a matrix of one cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.common.figures import printable
from edgekit.core import Facts, Report
from edgekit.errors import BadInput
from edgekit.reports import cells
from edgekit.reports.cells import Cell, Matrix
from edgekit.reports.comparing.reports import check_patterns, compare_reports, regressions, rows_json, table
from edgekit.reports.comparing.rows import Row

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Comparison:
    """A cell in both matrices.

    Attributes:
        label: the cell's name; for two different bundles, both names.
        rows: empty unless it was measured in both. lost: measured in BASE, but failed in NEW.
        note: why there are no rows, in words.
    """

    label: str
    base: Report | None
    new: Report | None
    rows: tuple[Row, ...] = ()
    lost: bool = False
    note: str = ""


def compare(
    base: str | Path, new: str | Path, *, max_regression: float | Mapping[str, float] = 0.03, force: bool = False
) -> list[Comparison]:
    """Two files of `edgekit bench`: faster, slower or cannot tell, cell by cell.

    Args:
        max_regression: accepted loss as a fraction, for all metrics with noise or by metric (see `compare_reports`).
        force: compare even different models, hosts, inputs or threads.

    Raises:
        BadInput: a file is not a report, the two are not comparable, or a metric is named that neither has.
    """
    return compare_matrices(cells.load(Path(base)), cells.load(Path(new)), max_regression=max_regression, force=force)


def compare_matrices(
    base: Matrix, new: Matrix, *, max_regression: float | Mapping[str, float], force: bool = False
) -> list[Comparison]:
    """A comparison per cell of either, cells of `base` first. Two single reports are always compared with each other.

    Raises:
        BadInput: two cells are not comparable (see `compare_reports`), no cell is in both, or a metric of
            `max_regression` is in none.
    """
    reports = [cell.report for matrix in (base, new) for cell in matrix.cells if cell.report is not None]
    check_patterns(max_regression if isinstance(max_regression, Mapping) else {}, reports)
    if len(base.cells) == len(new.cells) == 1:
        pairs: list[tuple[str, Cell | None, Cell | None]]
        pairs = [(_comparison_label(base.cells[0], new.cells[0]), base.cells[0], new.cells[0])]
    else:
        olds, news = ({cells.key(cell): cell for cell in matrix.cells} for matrix in (base, new))
        if not set(olds) & set(news):
            raise BadInput(
                "the two have no cell in common.", hint="Measure the same --models, --targets and --threads."
            )
        keys = [*olds, *(key for key in news if key not in olds)]
        pairs = [(cells.label(olds.get(key) or news[key]), olds.get(key), news.get(key)) for key in keys]
    return [_compare_cells(label, old, now, max_regression, force) for label, old, now in pairs]


def losses(diffs: Sequence[Comparison]) -> list[str]:
    """Regressions in words: measurements that got worse by more than allowed, and cells that fail now."""
    texts = []
    for comparison in diffs:
        where = f"{comparison.label}: " if len(diffs) > 1 else ""
        texts += [f"{where}{row.loss}" for row in regressions(comparison.rows)]
        texts += [f"{where}{comparison.note}"] if comparison.lost else []
    return texts


def json_of(diffs: Sequence[Comparison]) -> list[Facts]:
    """Plain data for ``--json``: the rows of a single cell, else an entry per cell."""
    if len(diffs) == 1 and diffs[0].rows:
        return rows_json(diffs[0].rows)
    return [{"cell": item.label, "lost": item.lost, "note": item.note, "rows": rows_json(item.rows)} for item in diffs]


def render_comparisons(diffs: Sequence[Comparison]) -> list[RenderableType]:
    """The comparisons for a terminal."""
    from rich.text import Text

    parts: list[RenderableType] = []
    for item in diffs:
        if item.base is not None and item.new is not None:
            parts += [table(item.base, item.new, item.rows), Text("")]
        else:
            parts.append(Text(f"{item.label}: {printable(item.note)}", style="bold red" if item.lost else "yellow"))
    return parts


def _comparison_label(base: Cell, new: Cell) -> str:
    before, after = cells.label(base), cells.label(new)
    return before if before == after else f"{before} -> {after}"


def _compare_cells(
    label: str, old: Cell | None, now: Cell | None, allowed: float | Mapping[str, float], force: bool
) -> Comparison:
    base, new = (cell.report if cell else None for cell in (old, now))
    if base is not None and new is not None:
        return Comparison(label, base, new, tuple(compare_reports(base, new, max_regression=allowed, force=force)))
    if base is not None and now is not None:
        return Comparison(
            label, base, None, lost=True, note=f"was measured in BASE, and {now.outcome} in NEW: {now.reason}"
        )
    sides = [
        f"{'not in' if cell is None else cell.outcome + ' in'} {side}" for cell, side in ((old, "BASE"), (now, "NEW"))
    ]
    return Comparison(label, base, new, note=", ".join(sides))
