"""The recipe of a model for a target, or the reason why there is none."""

from __future__ import annotations

from dataclasses import replace

from edgekit.core import Model, Recipe, Target, serving
from edgekit.errors import Unsupported
from edgekit.registry import find

__all__ = ["recipe_for", "refusal", "unrunnable", "wished"]


def recipe_for(model: Model, target: Target, precision: str | None = None, exporter: str | None = None) -> Recipe:
    """The recipe for `model` on `target`: the target's default for the task, with the user's choices.

    Raises:
        Unsupported: the target refuses the task, has no recipe for it or nothing to run the exporter's files, or the
        exporter lacks the precision.
    """
    recipe = wished(model, target, precision, exporter)
    if why := unrunnable(target, recipe, model):
        raise Unsupported(f"{model.name} on {target.name}: {why}.", hint=f"It takes: {', '.join(target.runtime)}.")
    return recipe


def unrunnable(target: Target, recipe: Recipe, model: Model | None = None) -> str:
    """Why `target` cannot run the recipe's files ("" if it can, or if the exporter is another package's).

    Args:
        model: tells why formats that the target does run cannot hold it (`edgekit.core.Network.refused`).
    """
    own_exporter = type(find("exporters", recipe.exporter)).__module__.startswith("edgekit.exporters.")
    if not own_exporter or not target.runtime or recipe.exporter in target.runtime:
        return ""
    refused = model.network.refused.items() if model else ()
    lacking = [f", and the {name} exporter {reason}" for name, reason in refused if name in target.runtime]
    return f"nothing there runs the files of the {recipe.exporter} exporter{''.join(lacking)}"


def wished(model: Model, target: Target, precision: str | None, exporter: str | None) -> Recipe:
    """`recipe_for`, whether the target can run it or not."""
    if model.task.name in target.refuses:
        raise Unsupported(f"{model.name} on {target.name}: {target.refuses[model.task.name]}")
    default = target.recipes.get(model.task.name) or target.recipes.get("*")
    if default is None:
        raise Unsupported(
            f"{target.name} has no recipe for {model.task.name}.", hint=f"It has: {', '.join(target.recipes)}."
        )
    possible = (*model.network.exporters, *model.network.variants) if model.network.exporters else ()
    if default.exporter not in (possible or (default.exporter,)) and exporter in (None, possible[0]):
        precisions = find("exporters", possible[0]).precisions
        usual = next((recipe.precision for recipe in model.network.ladder if recipe.exporter == possible[0]), "")
        general = default.precision if default.precision in precisions else precisions[0]
        default = Recipe(possible[0], usual or general)
    if own := model.network.precisions.get(default.exporter):
        default = Recipe(default.exporter, own)
    chosen = find("exporters", exporter or default.exporter)
    if held := serving(model, chosen.name).network.precision:
        default = Recipe(chosen.name, held)
    if possible and chosen.name not in possible:
        there = [name for name in possible if not unrunnable(target, Recipe(name, ""))]
        lacking = model.network.refused.get(chosen.name, "")
        raise Unsupported(
            f"the {chosen.name} exporter cannot take the network of {model.name}{lacking and f': it {lacking}'}.",
            hint=f"For {target.name} choose --exporter {' or '.join(there)}."
            if there
            else f"{target.name} runs nothing that can be made of it. It becomes: {', '.join(possible)}.",
        )
    same = chosen.name == default.exporter
    recipe = Recipe(chosen.name, precision or (default.precision if same else chosen.precisions[0]))
    if same and recipe.precision == default.precision:
        recipe = default
    if recipe.precision not in chosen.precisions:
        raise Unsupported(
            f"the {chosen.name} exporter has no precision {recipe.precision!r}.",
            hint=f"It has: {', '.join(chosen.precisions)}.",
        )
    # The exporter plans the memory of firmware, so it must know the budgets.
    budgets = {} if target.flash is None else {"flash": target.flash, "ram": target.ram}
    options = serving(model, chosen.name).network.options.get((recipe.exporter, recipe.precision), {})
    return replace(recipe, options={**recipe.options, **options, **budgets})


def refusal(model: Model, recipe: Recipe) -> str:
    """Why the recipe's exporter refuses the model, by its declaration alone ("" if it does not)."""
    return find("exporters", recipe.exporter).refuses(model, recipe)
