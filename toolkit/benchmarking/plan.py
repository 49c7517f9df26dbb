"""The plan of a matrix, and its cells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from edgekit.benchmarking.hosted import HOST, Limits
from edgekit.core import Model, Target
from edgekit.errors import BadInput, Unsupported
from edgekit.estimation import recipes
from edgekit.registry import find, names, serving
from edgekit.reports import cells
from edgekit.reports.cells import Cell

#: Stands for every model whose weights are pinned, or for every target.
ALL = "all"


@dataclass(frozen=True)
class Plan:
    """What to measure: all combinations.

    Attributes:
        models, targets: names, or `ALL`; a name with a minus before it is left out. Of all models, those whose
            weights are pinned nowhere are "not measured", unless `weights` has them.
        precisions: empty: each target's default. threads: empty: all usable processors.
        inputs: files for every model; empty: each bundle's golden input, or noise in its form with `synthetic`.
        contexts: of language models, as for `edgekit.benchmarking.benchmark.benchmark`; default: none.
        calibration: model -> folder, as for `export`; the key ``""`` serves every other model.
        data: model -> folder for the accuracy gate, likewise. weights: model -> the user's own checkpoint, likewise.
        patience: seconds per export. limits: per measured process.
    """

    models: tuple[str, ...]
    targets: tuple[str, ...]
    precisions: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    inputs: tuple[str, ...] = ()
    calibration: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    processes: int = 5
    synthetic: bool = False
    contexts: tuple[int, ...] = ()
    patience: float = 3600.0
    limits: Limits = field(default_factory=Limits)


def plan_cells(plan: Plan) -> list[Cell]:
    """All cells, in order; impossible cells are "refused" already."""
    models, targets = _resolve_names("models", plan.models), _resolve_names("targets", plan.targets)
    for room, asked in (("models", plan.models), ("targets", plan.targets)):
        if not asked:
            raise BadInput(
                f"the matrix is empty: --{room} is missing.",
                hint=f"Give --{room} {ALL}, or some of them: edgekit list {room}",
            )
    if plan.synthetic and plan.inputs:
        raise BadInput("inputs are either synthetic or files of yours.", hint="Leave out --synthetic or --input.")
    if plan.processes < 1 or min(plan.threads) < 1:
        raise BadInput("processes and threads must be at least 1.")
    for name in plan.inputs:
        if not Path(name).is_file():
            raise BadInput(f"there is no input file {name!r}.")
    result = {}
    combinations = itertools.product(models, targets, plan.precisions or ("",), plan.threads)
    for model, target, precision, threads in combinations:
        cell = _plan_cell(find("models", model), find("targets", target), precision, threads)
        if ALL in plan.models and cell.outcome != "refused":
            cell = _reachable(cell, plan)
        result[cells.key(cell)] = cell
    return list(result.values())


def _resolve_names(room: Literal["models", "targets"], wanted: Sequence[str]) -> list[str]:
    """The names in place of `ALL`, each once, without those with a minus before them ("all,-whisper-small")."""
    without = {find(room, name[1:]).name for name in wanted if name.startswith("-")}
    every = [name for item in wanted for name in (names(room) if item == ALL else [item]) if not name.startswith("-")]
    chosen = list(dict.fromkeys(name for name in every if name not in without))
    for name in chosen:
        find(room, name)  # an unknown name is told even where the other room's are missing
    return chosen


def _reachable(cell: Cell, plan: Plan) -> Cell:
    """The cell; with a reason if its model's weights are pinned nowhere and the plan has none."""
    model = find("models", cell.model)
    exporter = find("runtimes", cell.runtime).formats[0]
    if serving(model, exporter).weights.sources or plan.weights.get(cell.model) or plan.weights.get(""):
        return cell
    where = (
        f"its weights are at {model.weights.hub} and not pinned."
        if model.weights.hub
        else "no source of its weights is known."
    )
    return replace(cell, reason=where, hint=f"Give them: --weights {cell.model}=PATH")


def _plan_cell(model: Model, target: Target, precision: str, threads: int) -> Cell:
    device = target.device if target.measure is not None and target.device else HOST
    count = threads if device == HOST else 1
    try:
        recipe = recipes.recipe_for(model, target, precision or None)
    except Unsupported as exc:
        return Cell(model.name, target.name, "", precision, count, device, "refused", exc.message, exc.hint)
    cell = Cell(model.name, target.name, recipe.runtime, recipe.precision, count, device, "not measured")
    why = find("runtimes", recipe.runtime).untimed
    return replace(cell, reason=f"{why}.", hint="edgekit verify proves such a bundle.") if why else cell
