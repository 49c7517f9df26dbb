"""`fit`: predicts size, memory and speed from declarations and past measurements, without download or torch."""

from __future__ import annotations

from dataclasses import replace

from edgekit.core import Fit, Model, Target
from edgekit.estimation.budgets import excess, expected_size, hopeless, nearest, replace_budgets
from edgekit.estimation.recipes import choose_recipe, named_runtime, refusal, unrunnable
from edgekit.estimation.speeds import estimate_speeds, fidelities
from edgekit.importers.resolved import model_of
from edgekit.registry import find, serving
from edgekit.reports.cells import Matrix


def fit(
    model: str | Model,
    target: str,
    precision: str | None = None,
    runtime: str | None = None,
    *,
    exporter: str | None = None,
    board: str | None = None,
    flash: int | None = None,
    ram: int | None = None,
    download: int | None = None,
    measured: Matrix | None = None,
) -> Fit:
    """Whether a model fits a target, with its predicted size, peak RAM and speed.

    Args:
        model: a name of the registry, a source from outside, or a declaration (`edgekit.importers.resolved.model_of`).
        exporter: as for `edgekit.export`.
        board, flash, ram, download: budgets that replace the target's, as for `budgeted`.
        measured: measurements of a device of the target, to predict the speed (see `edgekit.estimation.speeds`).

    Raises:
        UnknownName: no such model, target or runtime. Unsupported: the format lacks the precision.
    """
    declared = model_of(model) if isinstance(model, str) else model
    goal = replace_budgets(find("targets", target), board, flash, ram, download)
    chosen = named_runtime(goal, runtime, exporter, board)
    return replace(_answer(declared, goal, precision, chosen, measured), note=declared.identity.note)


def _answer(declared: Model, goal: Target, precision: str | None, runtime: str | None, measured: Matrix | None) -> Fit:
    if declared.task.name in goal.refuses:
        return Fit(declared.name, goal.name, None, "refused", goal.refuses[declared.task.name])
    recipe = choose_recipe(declared, goal, precision, runtime)
    if why := unrunnable(goal, recipe, declared):
        return Fit(declared.name, goal.name, None, "refused", why, nearest=nearest(declared, goal))
    serves = serving(declared, recipe.exporter)
    reasons = excess(serves, goal, recipe)
    why = refusal(serves, recipe)
    if why and not (reasons and hopeless(serves, goal)):
        return Fit(declared.name, goal.name, None, "refused", why, nearest=nearest(declared, goal))
    near = nearest(declared, goal) if reasons else ""
    speed, unknown = estimate_speeds(serves, goal, recipe, measured)
    budgets = {"download": goal.download, "flash": goal.flash, "RAM": goal.ram}
    return Fit(
        declared.name,
        goal.name,
        recipe,
        "too large" if reasons else "fits",
        "; ".join(reasons) or "within every budget of the target",
        expected_size(serves, recipe),
        serves.costs.memory(recipe),
        near,
        speed,
        unknown,
        {name: budget for name, budget in budgets.items() if budget is not None},
        goal.store,
        fidelities(serves, recipe),
    )
