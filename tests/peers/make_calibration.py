"""Makes toolkit/estimation/calibration.json, what `edgekit fit` expects speeds by, of reports that `edgekit bench`
wrote.

    python tests/peers/make_calibration.py REPORT.json... [--bundles DIR] [--busy]

Raw values are kept, thinned evenly to a few of each process; nothing is averaged. Of two reports of one cell the faster
counts: on a machine with neighbours the slower one measured them. ``--busy``: reports of one thread that had to share
its processor; times that are longer than a turn become processor time (by the share that each process had), and the
fastest third is kept. ``--bundles``: the folder with the bundles, named as the reports, for their whole size: that in a
report is without the manifest; and for the sizes of bundles without a report.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.bench.statistics import repeated
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Measurement, Report
from edgekit.reports import cells
from edgekit.reports import report as reports
from edgekit.reports.cells import SCHEMA, Cell, Matrix

#: Values of a process that are kept of one quantity.
_KEPT = 12
#: Seconds that a process keeps its processor for: a shorter call is mostly not interrupted.
_TURN = 0.003
#: What is known of the machine and said of it; its names and hours are nobody's business.
_HOST = ("cpu", "architecture", "cores", "memory", "system", "virtualised", "python")
_NAMES = ("end_to_end.latency", "rss.peak", "tg128", "pp512", "network.instructions", "frontend.instructions")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("reports", nargs="+", type=Path)
    arguments.add_argument("--out", type=Path, default=Path("toolkit/estimation/calibration.json"))
    arguments.add_argument("--busy", action="store_true")
    arguments.add_argument("--bundles", type=Path)
    given = arguments.parse_args()
    found: dict[cells.Key, Cell] = {}
    for path in given.reports:
        for cell in cells.load(path).cells:
            if cell.report is None:
                continue
            report = _alone(cell.report) if given.busy else cell.report
            if given.bundles:
                report = replace(report, bundle={**report.bundle, "size": _whole(given.bundles / path.stem)})
            thin = replace(cell, report=_thin(report), worker="", reason="", hint="")
            before = found.get(cells.key(thin))
            if before is None or _speed(thin) < _speed(before):
                found[cells.key(thin)] = thin
    for manifest in sorted(given.bundles.glob("*/manifest.json")) if given.bundles else ():
        cell = _unmeasured(manifest.parent)
        if not any(key[:4] == cells.key(cell)[:4] for key in found):
            found[cells.key(cell)] = cell
    ordered = [found[key] for key in sorted(found)]
    cells.save(Matrix(SCHEMA, {}, tuple(ordered)), given.out)
    print(f"{given.out}: {len(ordered)} cells, {given.out.stat().st_size / 1000:.0f} kB")


def _unmeasured(bundle: Path) -> Cell:
    """A bundle that nothing here can measure, or nobody did: its size is known all the same."""
    manifest = open_bundle(bundle, hashes=False).manifest
    model, target = manifest.model.name, manifest.target.name
    facts = {"model": model, "target": target, "exporter": manifest.recipe.exporter}
    facts |= {"precision": manifest.recipe.precision}
    report = Report(
        schema=reports.SCHEMA, bundle={**facts, "size": _whole(bundle)}, fidelity="structural", host={},
        versions=dict(manifest.versions), inputs=(), threads=1, measurements=(),
    )  # fmt: skip
    return Cell(**facts, threads=1, device="none", outcome="measured", report=report)


def _whole(bundle: Path) -> int:
    return sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())


def _speed(cell: Cell) -> float:
    """Seconds, to choose the faster of two; of language models the inverse of their tokens a second."""
    assert cell.report is not None
    for name, faster in (("end_to_end.latency", 1), ("tg128", -1)):
        for one in cell.report.measurements:
            if one.name == name:
                return faster * repeated.median(repeated.pool(one.values))
    return 0.0


def _thin(report: Report) -> Report:
    wanted = [
        replace(one, values=tuple(map(_few, one.values)), warmups=())
        for one in report.measurements
        if one.name in _NAMES or one.name.startswith(("part.", "footprint"))
    ]
    bundle = {name: report.bundle[name] for name in ("model", "target", "exporter", "precision", "size")}
    host = {name: report.host[name] for name in _HOST if name in report.host}
    return replace(
        report, bundle=bundle, host=host, measurements=tuple(_rounded(one) for one in wanted), warnings=(),
        outputs=(), layers=(), estimates=(),
    )  # fmt: skip


def _alone(report: Report) -> Report:
    """The report as if its one thread had had a processor to itself, as far as its share of one tells."""
    sections = report.host.get("run", {}).get("sections", [])
    shares = [min(1.0, one["cpu"] / one["wall"]) for one in sections]
    if report.fidelity != "host" or report.threads != 1 or not shares:
        return report
    return replace(report, measurements=tuple(_shared(one, shares) for one in report.measurements))


def _shared(one: Measurement, shares: Sequence[float]) -> Measurement:
    if one.unit not in ("s", "tokens/s"):
        return one
    groups = []
    for values, share in zip(one.values, shares, strict=False):
        fixed = sorted(_shared_value(value, share, one.unit) for value in values)
        third = max(1, len(fixed) // 3)
        groups.append(tuple(fixed[:third] if one.unit == "s" else fixed[-third:]))
    return replace(one, values=tuple(groups))


def _shared_value(value: float, share: float, unit: str) -> float:
    if unit == "s":
        return value * share if value > _TURN else value
    return value / share


def _few(values: Sequence[float]) -> tuple[float, ...]:
    step = max(1, len(values) / _KEPT)
    return tuple(values[int(i * step)] for i in range(min(_KEPT, len(values))))


def _rounded(one: Measurement) -> Measurement:
    """Four significant digits: more than a clock and its neighbours tell."""
    return replace(one, values=tuple(tuple(float(f"{value:.4g}") for value in group) for group in one.values))


if __name__ == "__main__":
    main()
