"""Measured figures as data: the condensed rows in results/, and the measurements that `edgekit fit` is calibrated with.

    python docs/site/measured.py MATRIX.json results/matrix.json --bundles WORK/bundles --date 2026-11-25 \\
        --command "edgekit bench ..."

condenses a file of `edgekit bench --out --work WORK`: medians in place of raw values.

    python docs/site/measured.py --confirm results/matrix.json --bundles WORK/bundles

looks at bundles that today's code made: where one holds the same networks, byte for byte, its size and its answers are
of today's code. Its speed and its memory are not: the code around the networks, which ran, may be another.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from code_key import key

import edgekit
from edgekit.bench.statistics import repeated
from edgekit.benchmarking.exports import bundle_name
from edgekit.bundles.staging import peek
from edgekit.core import Report
from edgekit.pipeline.closure import closure
from edgekit.registry import find
from edgekit.reports import cells

__all__ = ["Row", "commands", "rows"]

ROOT = Path(__file__).parents[2]
CALIBRATION = ROOT / "toolkit" / "estimation" / "calibration.json"

#: What a bundle holds beside what an app loads.
_BESIDE = ("README.md", "golden/", "licences/", "sbom.")

#: The measurements that a page shows.
SHOWN = (
    "end_to_end.latency",
    "rtf",
    "rss.peak",
    "tg128",
    "pp512",
    "network.instructions",
    "footprint.flash",
    "footprint.ram",
    "footprint_sound.flash",
    "footprint_sound.ram",
)


@dataclass(frozen=True)
class Row:
    """A measured bundle.

    Attributes:
        size: bytes of the bundle. gate: ``verdict``, ``metric``, ``value``, ``reference``, ``drop``, ``low``, ``high``.
        figures: measurement -> ``median``, ``unit``.
        origin: the date, or the place, where the measurement is kept. code: see `code_of`, when it was measured.
        contents: see `contents_of`; "" where it was not kept.
        confirmed: the code that made the same contents later, "" if none did.
    """

    model: str
    target: str
    runtime: str
    precision: str
    threads: int
    fidelity: str
    host: str
    size: int | None
    gate: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: int = 0
    origin: str = ""
    code: str = ""
    contents: str = ""
    confirmed: str = ""

    @property
    def date(self) -> str:
        """When it was measured, YYYY-MM-DD; "" for rows of the calibration."""
        return self.origin[:10] if self.origin[:4].isdigit() else ""

    @property
    def current(self) -> bool:
        """Whether it was measured with today's code."""
        return self.code == code_of(self.model, self.runtime)

    @property
    def same(self) -> bool:
        """Whether size and answers are of today's code: it was measured with it, or makes the same networks."""
        return code_of(self.model, self.runtime) in (self.code, self.confirmed)


def rows() -> list[Row]:
    """Every measured bundle: its latest row of results/, the latest first; then those of the calibration that are not
    among them."""
    dated = (row for file in sorted((ROOT / "results").glob("*.json")) for row in _condensed(file))
    ordered = sorted(dated, key=lambda row: row.origin)
    latest = {_key(row): row for row in ordered}
    kept = [row for row in reversed(ordered) if latest[_key(row)] is row]
    return kept + [row for row in _calibration() if _key(row) not in latest]


def commands() -> list[tuple[str, str]]:
    """Date and command of each measurement in results/, the latest first."""
    documents = [json.loads(file.read_text()) for file in (ROOT / "results").glob("*.json")]
    return sorted(((each["date"], each["command"]) for each in documents if "rows" in each), reverse=True)


@cache
def code_of(model: str, runtime: str) -> str:
    """Key of the code that decides what a bundle computes: the model's file, the rooms of runtime and format, their
    imports."""
    package = Path(str(edgekit.__file__)).parent
    named = sorted((package / "models").rglob(f"{model.replace('-', '_')}.py"))
    exporter = find("runtimes", runtime).formats[0]
    folders = (package / "runtimes" / runtime.replace("-", "_"), package / "exporters" / exporter)
    files = (path for folder in folders for path in folder.rglob("*"))
    room = [path for path in files if path.is_file() and path.suffix != ".pyc"]
    python = [path for path in room if path.suffix == ".py"]
    return key(sorted({*room, *closure([*named, *python], package)}))


def contents_of(bundle: Path) -> str:
    """Hash of the files of a bundle that an app loads: networks and their descriptions; no texts, no golden answers."""
    manifest = peek(bundle)
    if manifest is None:
        return ""
    files = [f"{name} {entry.sha256}" for name, entry in sorted(manifest.files.items()) if not name.startswith(_BESIDE)]
    return hashlib.sha256("\n".join(files).encode()).hexdigest()[:16]


def confirmed(row: Mapping[str, Any], bundles: Path) -> dict[str, Any]:
    """A row, confirmed by today's code if that makes the same bundle. When and with what it was measured stays."""
    name = "-".join(row[part] for part in ("model", "target", "runtime", "precision"))
    same = row.get("contents") and contents_of(bundles / name) == row["contents"]
    return {**row, "confirmed": code_of(row["model"], row["runtime"])} if same else dict(row)


def _key(row: Row) -> tuple[str, str, str, str]:
    return row.model, row.target, row.runtime, row.precision


def _condensed(file: Path) -> Iterator[Row]:
    data = json.loads(file.read_text())
    if "rows" not in data:
        return
    origin = f"{data['date']}, edgekit {data['versions']['edgekit']}"
    for row in data["rows"]:
        yield Row(**row, origin=origin)


def _calibration() -> Iterator[Row]:
    for row in _of(cells.load(CALIBRATION)):
        yield Row(**{**row, "code": ""}, origin="calibration of `edgekit fit`")


def _of(matrix: cells.Matrix, bundles: Path | None = None) -> Iterator[dict[str, Any]]:
    """The measured cells of a matrix as the fields of `Row`; `bundles`: the folder of what was measured."""
    for cell in matrix.cells:
        if cell.report is not None:
            yield {
                "model": cell.model,
                "target": cell.target,
                "runtime": cell.runtime,
                "precision": cell.precision,
                "threads": cell.threads,
                "fidelity": cell.report.fidelity,
                "host": str(cell.report.host.get("cpu", "")),
                "size": cell.report.bundle.get("size"),
                "gate": dict(cell.report.bundle.get("gate") or {}),
                "figures": _figures(cell.report),
                "warnings": len(cell.report.warnings),
                "code": code_of(cell.model, cell.runtime),
                "contents": contents_of(bundles / bundle_name(cell)) if bundles else "",
                "confirmed": "",
            }


def _figures(report: Report) -> dict[str, dict[str, Any]]:
    shown = (item for item in report.measurements if item.name in SHOWN)
    return {item.name: {"median": repeated.middle(item.values), "unit": item.unit} for item in shown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("matrix", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--bundles", type=Path, required=True, help="the folder of the bundles")
    parser.add_argument("--confirm", type=Path, metavar="FILE", help="the rows to compare with the bundles")
    parser.add_argument("--date")
    parser.add_argument("--command", help="the command that measured")
    arguments = parser.parse_args()
    if arguments.confirm:
        document = json.loads(arguments.confirm.read_text())
        document["rows"] = [confirmed(row, arguments.bundles) for row in document["rows"]]
        _write(document, arguments.confirm)
        return
    if None in (arguments.matrix, arguments.out, arguments.date, arguments.command):
        parser.error("MATRIX.json, the file to write, --date and --command are needed")
    matrix = cells.load(arguments.matrix)
    versions = next((dict(cell.report.versions) for cell in matrix.cells if cell.report), {})
    found = list(_of(matrix, arguments.bundles))
    _write({"date": arguments.date, "versions": versions, "command": arguments.command, "rows": found}, arguments.out)


def _write(document: Mapping[str, Any], file: Path) -> None:
    codes = [(code_of(row["model"], row["runtime"]), row) for row in document["rows"]]
    current = sum(row["code"] == code for code, row in codes)
    same = sum(code in (row["code"], row["confirmed"]) for code, row in codes)
    print(f"{file}: of {len(codes)} rows {current} were measured with today's code, {same} have its networks")
    file.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
