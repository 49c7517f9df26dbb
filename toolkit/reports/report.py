"""Report files: writing, and strict reading.

A report file is JSON with ``"schema": 1`` and holds raw values only; every statistic is derived when it is read. It
comes from outside when it is read (copied between machines, edited by hand), so nothing in it is trusted.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgekit.common.documents import parse_json
from edgekit.common.files import write_whole
from edgekit.core import Report
from edgekit.errors import BadInput, boundary, install_command

SCHEMA = 1


#: A report is a few hundred kilobytes at most; whatever is larger than this is something else.
_LARGEST = 64 * 1024 * 1024


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
        BadInput: no such file, or too large to be a report.
    """
    with boundary():
        size = path.stat().st_size
        if size > _LARGEST:
            raise BadInput(f"{path} is {size / 1e6:.0f} MB large: that is no report.")
        return path.read_bytes()


def schema_of(data: bytes, where: str, newest: int = SCHEMA) -> int:
    """The schema that a file names.

    Raises:
        BadInput: it names no schema, or a schema that this edgekit does not read.
    """
    head = decode_json(data, None, where)
    number = head.get("schema") if isinstance(head, Mapping) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadInput(f"{where} is not an edgekit report: it names no schema.")
    if number > newest:
        raise BadInput(
            f"{where} was made by a newer edgekit (schema {number}, this one reads {newest}).",
            hint=f"Take a newer edgekit, then: {install_command('', '--upgrade')}",
        )
    if number < 1:
        raise BadInput(f"{where} has schema {number}, which no edgekit ever wrote.")
    return number


def decode(data: bytes, where: str) -> Report:
    """A report from its bytes.

    Raises:
        BadInput: as `load`.
    """
    if schema_of(data, where, newest=3) != SCHEMA:
        raise BadInput(
            f"{where} is a matrix of many cells, not a single report.",
            hint=f"Look at it with: edgekit report {shlex.quote(where)}",
        )
    report: Report = decode_json(data, Report, where)
    check(report, where)
    return report


def decode_json(data: bytes, kind: Any, where: str) -> Any:
    """JSON as `kind`, strictly.

    Raises:
        BadInput: it is not.
    """
    return parse_json(data, where, kind, "Make it again with: edgekit bench BUNDLE --out FILE")


def check(report: Report, where: str) -> None:
    """Raise BadInput for a wrong schema, and for values that no measurement can have."""
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
    """Raise BadInput for values that are not numbers: the types allow any JSON there."""
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
