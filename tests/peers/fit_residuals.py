"""Prints the tables of docs/fit.md: what `edgekit fit` predicts beside toolkit/estimation/calibration.json.

python tests/peers/fit_residuals.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from edgekit.bench.statistics import repeated
from edgekit.common.figures import figure
from edgekit.core import serving
from edgekit.estimation import speeds
from edgekit.estimation.recipes import recipe_for
from edgekit.estimation.speeds import Seen
from edgekit.registry import find
from edgekit.reports.cells import Cell


def main() -> None:
    print("| model | target | format | bundle | predicted | off | peak RAM | predicted | off |")
    print("|---|---|---|---|---|---|---|---|---|")
    for cell in speeds.calibration().cells:
        print(_size(cell))
    print("\n| format | kind | model | rate | without it, the others' rate is | factor off |")
    print("|---|---|---|---|---|---|")
    print("\n".join(_rates()))


def _size(cell: Cell) -> str:
    assert cell.report is not None
    recipe = recipe_for(find("models", cell.model), find("targets", cell.target), cell.precision, cell.exporter)
    model = serving(find("models", cell.model), cell.exporter)
    known = {one.name: max(repeated.pool(one.values)) for one in cell.report.measurements}
    firmware = cell.exporter == "c"
    size = (_footprint(known, "flash") if firmware else cell.report.bundle["size"]) or 0
    peak = _footprint(known, "ram") if firmware else known.get("rss.peak")
    shown = [cell.model, cell.target, f"{cell.exporter} {cell.precision}"]
    shown += [figure(size, "B"), figure(model.costs.size(recipe), "B"), f"{model.costs.size(recipe) / size - 1:+.1%}"]
    off = f"{model.costs.memory(recipe) / peak - 1:+.0%}" if peak else ""
    return f"| {' | '.join([*shown, figure(peak, 'B'), figure(model.costs.memory(recipe), 'B'), off])} |"


def _footprint(known: dict[str, float], kind: str) -> float | None:
    return known.get(f"footprint_sound.{kind}") or known.get(f"footprint.{kind}")


def _rates() -> Iterator[str]:
    def group(one: Seen) -> tuple[str, str, str]:
        return one.exporter, "" if one.work.kind == "generation" else one.precision, one.work.kind

    for (exporter, precision, kind), members in groupby(sorted(speeds.past(), key=group), group):
        for one in members:
            unit = "GB/s" if kind == "generation" else "G MAC/s"
            others = speeds.rate(one.work, exporter, one.precision, one.model)
            alone = ["-", "-"]
            if others:
                alone = [f"{others[0] / 1e9:.3g}", f"{max(one.rate / others[0], others[0] / one.rate):.2f}"]
            cells = [
                f"{exporter} {precision or one.precision}",
                kind,
                one.model,
                f"{one.rate / 1e9:.3g} {unit}",
                *alone,
            ]
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
