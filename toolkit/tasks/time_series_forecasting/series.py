"""Series of numbers: read from files, and data folders."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.files import need_file
from edgekit.common.lazy import Doubles, np
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import need_files

#: Most bytes of a file; most steps of which a series' end is used.
_LARGEST = 64 << 20
_GAPS = ("", "na", "nan", "n/a", "null", "none")


def series_of(sample: Any, column: str = "") -> Doubles:
    """A series as float64 [steps]; a gap is not a number.

    Args:
        sample: a .csv, with a row a step and perhaps a line of names, or an array of one axis. column: of the file, by
            its name or by its number from 1 on; "": its last.

    Raises:
        BadInput: it cannot be read, holds no such column, something that is no number, or nothing.
    """
    if isinstance(sample, (str, Path)):
        return _of_file(Path(sample), column)
    try:
        values = np.asarray(sample, np.float64)
    except (TypeError, ValueError) as exc:
        raise BadInput(f"this is no series of numbers: {exc}.") from exc
    if values.ndim != 1 or not values.size:
        raise BadInput(f"a series has one axis and a step at least; this has the shape {values.shape}.")
    return np.where(np.isfinite(values), values, np.nan)


def _of_file(file: Path, column: str) -> Doubles:
    need_file(file)
    if file.stat().st_size > _LARGEST:
        raise BadInput(f"{file.name} has {file.stat().st_size} bytes; a table has at most {_LARGEST}.")
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise BadInput(f"{file.name} is not a table of text: {exc}.", hint="Save it as .csv in UTF-8.") from exc
    if not rows:
        raise BadInput(f"{file.name} is empty.")
    at, named = _place(file, rows[0], column)
    values = [_number(file, number, row, at) for number, row in enumerate(rows, 1) if number > named]
    if not values:
        raise BadInput(f"{file.name} has names and no numbers.")
    return np.asarray(values, np.float64)


def _place(file: Path, first: list[str], column: str) -> tuple[int, bool]:
    """Index of the column, and whether the first row holds names."""
    names = [name.strip() for name in first]
    named = _value(names[-1]) is None
    if not column:
        return len(names) - 1, named
    if named and column in names:
        return names.index(column), named
    if column.isdigit() and 1 <= int(column) <= len(names):
        return int(column) - 1, named
    hint = f"There are: {', '.join(names)}." if named else f"It has {len(names)} columns, counted from 1."
    raise BadInput(f"{file.name} has no column {column!r}.", hint=hint)


def _number(file: Path, number: int, row: list[str], at: int) -> float:
    if at >= len(row):
        raise BadInput(f"{file.name}, row {number}: it has {len(row)} columns, not {at + 1}.")
    value = _value(row[at])
    if value is None:
        raise BadInput(f"{file.name}, row {number}: {row[at]!r} is no number.", hint="Choose another: -o column=NAME")
    return value


def _value(text: str) -> float | None:
    """A number, not a number for a gap or an infinity, None for anything else."""
    if text.strip().lower() in _GAPS:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else math.nan


def samples(folder: Path, horizon: int) -> Sequence[Sample]:
    """A sample for every .csv of a folder: the truth is its last `horizon` steps, the input all before them.

    Raises:
        BadInput: no such file, one that cannot be read, or a series that is not longer than that.
    """
    made = []
    for file in need_files(folder.glob("*.csv"), folder, "no .csv file"):
        values = series_of(file)
        if len(values) <= horizon:
            raise BadInput(f"{file.name} has {len(values)} steps; {horizon} are held back, so it needs more.")
        made.append(Sample(values[:-horizon], values[-horizon:].tolist(), file.name))
    return made
