"""The bundles of a matrix: each missing bundle is exported in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.benchmarking.plan import Plan
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle, Progress
from edgekit.errors import EdgekitError, OverBudget, Unsupported
from edgekit.reports.cells import Cell

#: Most letters of a reason.
_LETTERS = 400


def export_all(wanted: Sequence[Cell], plan: Plan, work: Path, tell: Progress) -> dict[Cell, Bundle | Cell]:
    """Cell -> its bundle, or the cell with the reason why there is none."""
    made: dict[str, Bundle | Cell] = {}
    bundles: dict[Cell, Bundle | Cell] = {}
    labels = list(dict.fromkeys(bundle_name(cell) for cell in wanted if not cell.reason))
    for cell in wanted:
        if cell.reason:
            bundles[cell] = cell
            continue
        name = bundle_name(cell)
        if name not in made:
            tell(f"exporting {name}", labels.index(name), len(labels))
            made[name] = _export(cell, plan, work / "bundles" / name)
        came = made[name]
        bundles[cell] = came if isinstance(came, Bundle) else replace(came, threads=cell.threads)
    return bundles


def _line(message: str) -> str:
    """A message as a line short enough for a table: some hold a list, or terms of use."""
    line = " ".join(message.split())
    return line if len(line) <= _LETTERS else line[: _LETTERS - 1] + "…"


def bundle_name(cell: Cell) -> str:
    return f"{cell.model}-{cell.target}-{cell.runtime}-{cell.precision}"


def _export(cell: Cell, plan: Plan, out: Path) -> Bundle | Cell:
    """The bundle, exported in a process of its own if it is missing, or the cell with the reason why not."""
    options = [
        f"--target={cell.target}",
        f"--precision={cell.precision}",
        f"--runtime={cell.runtime}",
        f"--out={out}",
    ]
    for option in ("calibration", "data", "weights"):
        paths: Mapping[str, str] = getattr(plan, option)
        chosen = paths.get(cell.model) or paths.get("")
        options += [f"--{option}={chosen}"] if chosen else []
    command = [sys.executable, "-P", "-c", "from edgekit.cli.command import main; main()", "export", cell.model]
    try:
        done = subprocess.run(
            [*command, *options, "--no-fallback", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=plan.patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return replace(cell, outcome="hung", reason=f"the export took more than {plan.patience:g} s and was stopped.")
    if done.returncode < 0:
        return replace(cell, outcome="crashed", reason=f"the export was killed by signal {-done.returncode}.")
    try:
        if done.returncode == 0:
            return open_bundle(out)
        facts = json.loads(done.stdout)
        refused = facts["error"] in (Unsupported.__name__, OverBudget.__name__)
        reason = _line(facts["message"])
        return replace(cell, outcome="refused" if refused else "failed", reason=reason, hint=facts["hint"])
    except EdgekitError as exc:
        return replace(cell, outcome="failed", reason=exc.message, hint=exc.hint)
    except (ValueError, KeyError, TypeError):
        words = done.stderr.decode(errors="replace").strip().splitlines()
        last = f" Its last words: {_line(words[-1])}" if words else ""
        reason = f"the export ended with exit code {done.returncode}.{last}"
        hint = f"See why: edgekit export {cell.model} {' '.join(options)}"
        return replace(cell, outcome="failed", reason=reason, hint=hint)
