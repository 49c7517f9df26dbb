"""Prints the tables of docs/fit.md: what `edgekit fit` predicts beside toolkit/estimation/calibration.json.

python tests/peers/fit_residuals.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from helpers.cases import held_out

from edgekit.common.figures import figure
from edgekit.estimation import speeds
from edgekit.estimation.speeds import Seen
from edgekit.reports.cells import Cell, label


def main() -> None:
    print("| format | size: largest off | held out | cells | peak RAM: largest off | held out | cells |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(_largest()))
    sides = " | ".join(f"{what} | predicted | off | held out" for what in ("bundle", "peak RAM"))
    print(f"\n| model | target | format | {sides} |")
    print(f"|{'---|' * 11}")
    for cell in held_out.cells():
        print(_size(cell))
    print("\n| format | kind | model | rate | without it, the others' rate is | factor off |")
    print("|---|---|---|---|---|---|")
    print("\n".join(_rates()))


def _size(cell: Cell) -> str:
    shown = [cell.model, cell.target, f"{cell.runtime} {cell.precision}"]
    left_out = held_out.held_out()[label(cell)]
    for value, truth, off in zip(held_out.predicted(cell), held_out.measured(cell), left_out, strict=True):
        shown += [figure(truth, "B"), figure(value, "B"), _percent(value / truth - 1 if truth else None)]
        shown.append(_percent(off) if truth and off is not None else "-" if truth else "")
    return f"| {' | '.join(shown)} |"


def _percent(off: float | None) -> str:
    return "" if off is None else f"{off:+.1%}"


def _largest() -> Iterator[str]:
    """The largest errors of each format, as shipped and held out."""
    formats = sorted({cell.runtime for cell in held_out.cells()})
    for exporter in formats:
        own = [cell for cell in held_out.cells() if cell.runtime == exporter]
        shown = [exporter]
        for which in (0, 1):
            known = [cell for cell in own if held_out.measured(cell)[which]]
            shipped = [held_out.predicted(cell)[which] / (held_out.measured(cell)[which] or 1) - 1 for cell in known]
            others = [off for cell in known if (off := held_out.held_out()[label(cell)][which]) is not None]
            largest = [f"{max(map(abs, off)):.1%}" if off else "-" for off in (shipped, others)]
            shown += [*largest, f"{len(others)} of {len(known)}"]
        yield f"| {' | '.join(shown)} |"


def _rates() -> Iterator[str]:
    def group(one: Seen) -> tuple[str, str, str]:
        return one.runtime, "" if one.work.kind == "generation" else one.precision, one.work.kind

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
