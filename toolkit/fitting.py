"""Will it fit? Answered from declarations only: no download, no torch, no weights."""

from __future__ import annotations

import contextlib

from edgekit.core import Fit, Model, Recipe, Target
from edgekit.errors import OverBudget, Unsupported
from edgekit.registry import find, names
from edgekit.report import figure

__all__ = ["check", "check_size", "excess", "fit", "recipe_for"]


def recipe_for(model: Model, target: Target, precision: str | None = None, exporter: str | None = None) -> Recipe:
    """The recipe for `model` on `target`: the target's default for the task, with what the user chose in its place.

    Raises:
        Unsupported: the target refuses the task or has no recipe for it, or the exporter lacks the precision.
    """
    if model.task in target.refuses:
        raise Unsupported(f"{model.name} on {target.name}: {target.refuses[model.task]}")
    default = target.recipes.get(model.task) or target.recipes.get("*")
    if default is None:
        raise Unsupported(
            f"{target.name} has no recipe for {model.task}.", hint=f"It has: {', '.join(target.recipes)}."
        )
    if exporter is None and precision is None:
        return default
    chosen = find("exporters", exporter or default.exporter)
    recipe = Recipe(chosen.name, precision or (default.precision if exporter is None else chosen.precisions[0]))
    if recipe.precision not in chosen.precisions:
        raise Unsupported(
            f"the {chosen.name} exporter has no precision {recipe.precision!r}.",
            hint=f"It has: {', '.join(chosen.precisions)}.",
        )
    return recipe


def fit(model: str, target: str, precision: str | None = None, exporter: str | None = None) -> Fit:
    """Whether a model fits a target, with the predicted size and peak RAM in bytes, both estimates.

    Raises:
        UnknownName: no such model, target or exporter. Unsupported: the exporter lacks the precision.
    """
    declared: Model = find("models", model)
    goal: Target = find("targets", target)
    if declared.task in goal.refuses:
        return Fit(declared.name, goal.name, None, "refused", goal.refuses[declared.task])
    recipe = recipe_for(declared, goal, precision, exporter)
    size, ram = declared.size(recipe), declared.memory(recipe)
    reasons = excess(declared, goal, recipe)
    if not reasons:
        return Fit(declared.name, goal.name, recipe, "fits", "within every budget of the target", size, ram)
    return Fit(declared.name, goal.name, recipe, "too large", "; ".join(reasons), size, ram, _nearest(declared, goal))


def check(model: Model, target: Target, recipe: Recipe) -> None:
    """Raise OverBudget where the estimate says that the model will not fit, before anything is fetched."""
    reasons = excess(model, target, recipe)
    if reasons:
        near = _nearest(model, target)
        raise OverBudget(
            f"{model.name} in {recipe.precision} will not fit {target.name}: {'; '.join(reasons)}.",
            hint=f"What fits: {near}." if near else "No recipe or relative of this model fits.",
        )


def check_size(target: Target, size: int) -> None:
    """Raise OverBudget where a finished bundle of `size` bytes is larger than the target can take."""
    for budget in (target.download, target.flash):
        if budget is not None and size > budget:
            raise OverBudget(
                f"the bundle has {figure(size, 'B')}, {target.name} takes {figure(budget, 'B')}.",
                hint="Choose a smaller --precision or model.",
            )


def excess(model: Model, target: Target, recipe: Recipe) -> list[str]:
    """What is over the target's budgets by estimate, with both numbers, as phrases; empty if it fits."""
    size, ram = model.size(recipe), model.memory(recipe)
    budgets = (("download", size, target.download), ("flash", size, target.flash), ("RAM", ram, target.ram))
    return [
        f"{name} {figure(need, 'B')} of {figure(budget, 'B')}"
        for name, need, budget in budgets
        if budget is not None and need > budget
    ]


def _nearest(model: Model, target: Target) -> str:
    """The largest recipe of this model that fits, else the largest relative that does ("" if none)."""
    exporter = find("exporters", recipe_for(model, target).exporter)
    relatives = []
    for name in names("models"):
        with contextlib.suppress(Unsupported):  # another package's that does not load is no help here
            relatives.append(find("models", name))
    relatives = [other for other in relatives if other.family == model.family and other.parameters <= model.parameters]
    options = [
        (other.name == model.name, other.size(recipe), f"{other.name} --precision {recipe.precision}")
        for other in relatives
        for recipe in (Recipe(exporter.name, precision) for precision in exporter.precisions)
        if not excess(other, target, recipe)
    ]
    return max(options)[2] if options else ""
