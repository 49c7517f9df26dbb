"""The recipe of a model for a target, or the reason why there is none."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from edgekit.core import Model, Recipe, Target
from edgekit.errors import Unsupported
from edgekit.numerics.parity import FLOATS
from edgekit.registry import find, names, serving
from edgekit.runtimes.resolved import add_format, is_own, recipe_of, runtime_for, runtime_of


def named_runtime(target: Target, runtime: str | None, exporter: str | None, board: str | None = None) -> str | None:
    """The runtime that the user names; by its format, the first of the target's that takes it; that of the accelerator
    of a board.

    Args:
        board: one of the target's.
        exporter: what ``--exporter`` was given, which is an alias of ``--runtime``: a format, or a runtime.

    Raises:
        UnknownName: there is no such exporter. Unsupported: both are given.
    """
    if exporter is None or runtime is not None:
        if exporter is not None:
            raise Unsupported("a recipe names a runtime, and its format follows.", hint="Leave out --exporter.")
        return runtime or (target.boards[board.lower()].runtime or None if board else None)
    if exporter in names("runtimes"):
        return exporter
    return runtime_for(find("exporters", exporter).name, target.runtimes)


def recipe_for(model: Model, target: Target, precision: str | None = None, runtime: str | None = None) -> Recipe:
    """The recipe for `model` on `target`: the target's default for the task, with the user's choices.

    Raises:
        Unsupported: the target refuses the task, has no recipe for it or does not have the runtime, or the format
        lacks the precision.
    """
    recipe = choose_recipe(model, target, precision, runtime)
    if why := unrunnable(target, recipe, model):
        raise Unsupported(f"{model.name} on {target.name}: {why}.", hint=f"It takes: {', '.join(target.runtimes)}.")
    return recipe


def unrunnable(target: Target, recipe: Recipe, model: Model | None = None) -> str:
    """Why `target` cannot run the recipe's files ("" if it can, or if the runtime is another package's).

    Args:
        model: tells why formats that the target does run cannot hold it.
    """
    if not is_own(runtime_of(recipe)) or not target.runtimes or recipe.runtime in target.runtimes:
        return ""
    formats = dict.fromkeys(find("runtimes", name).formats[0] for name in target.runtimes)
    lacking = [
        f", and {why}"
        for name in formats
        if model and model.network.ready and (why := find("exporters", name).refuses(serving(model, name), recipe))
    ]
    return f"there is no {recipe.runtime} there{''.join(lacking[:1])}"


def choose_recipe(model: Model, target: Target, precision: str | None, runtime: str | None) -> Recipe:
    """`recipe_for`, whether the target can run it or not."""
    if model.task.name in target.refuses:
        raise Unsupported(f"{model.name} on {target.name}: {target.refuses[model.task.name]}")
    usual = target.recipes.get(model.task.name) or target.recipes.get("*")
    if usual is None:
        raise Unsupported(
            f"{target.name} has no recipe for {model.task.name}.", hint=f"It has: {', '.join(target.recipes)}."
        )
    if runtime is not None:  # a runtime by its own default, if it has one there
        usual = next((recipe for recipe in target.recipes.values() if recipe.runtime == runtime), usual)
    default, network, possible = add_format(usual), model.network, takers(model)
    if default.exporter not in possible and possible:
        other = runtime_for(possible[0], target.runtimes)
        if runtime in (None, other):
            default = _usual(model, recipe_of(other, default.precision))
    # An accelerator computes small networks in integers, too, for it has no better place for them.
    on_unit = runtime is not None and runtime in names("runtimes") and bool(find("runtimes", runtime).cpu)
    preferred = "" if on_unit else network.preferred
    if default.precision not in FLOATS and preferred in find("exporters", default.exporter).precisions:
        default = replace(default, precision=preferred, options={})
    named = recipe_of(runtime or default.runtime, default.precision)
    chosen = find("exporters", named.exporter)
    if held := serving(model, chosen.name).network.precision:
        default = replace(named, precision=held)
    if chosen.name not in possible:
        raise _impossible(model, target, named, possible)
    same = named.exporter == default.exporter
    recipe = replace(named, precision=precision or (default.precision if same else chosen.precisions[0]))
    if same and recipe.precision == default.precision:
        recipe = replace(default, runtime=named.runtime)
    if recipe.precision not in chosen.precisions:
        raise Unsupported(
            f"the {chosen.name} exporter has no precision {recipe.precision!r}.",
            hint=f"It has: {', '.join(chosen.precisions)}.",
        )
    # The exporter plans the memory of firmware, so it must know the budgets.
    budgets = {} if target.flash is None else {"flash": target.flash, "ram": target.ram}
    options = chosen.defaults(serving(model, chosen.name), recipe.precision)
    return replace(recipe, options={**recipe.options, **options, **budgets})


def _usual(model: Model, recipe: Recipe) -> Recipe:
    """`recipe` in the precision that its format begins with for the model: that of the first rung of its ladder."""
    exporter = find("exporters", recipe.exporter)
    ladder = exporter.ladder(model, recipe)
    return replace(recipe, precision=ladder[0].precision if ladder else exporter.precisions[0])


def takers(model: Model) -> tuple[str, ...]:
    """The formats that take what the model is: its ready file, or one that it becomes for their demands; those for the
    file as it is first."""
    as_it_is, others = [], []
    for name in names("exporters"):
        with contextlib.suppress(Unsupported):  # a broken exporter of another package
            ready, takes = serving(model, name).network.ready, find("exporters", name).takes
            as_it_is += [name] if ready in takes else []
            others += [] if ready else [name]
    return (*as_it_is, *others)


def _impossible(model: Model, target: Target, recipe: Recipe, possible: tuple[str, ...]) -> Unsupported:
    """Why the recipe's format cannot hold the network, and the runtimes of the target whose formats can."""
    there = [name for name in target.runtimes if find("runtimes", name).formats[0] in possible]
    lacking = find("exporters", recipe.exporter).refuses(serving(model, recipe.exporter), recipe)
    return Unsupported(
        f"the {recipe.exporter} exporter cannot take the network of {model.name}{lacking and f': {lacking}'}.",
        hint=f"For {target.name} choose --runtime {' or '.join(there)}."
        if there
        else f"{target.name} runs nothing that can be made of it. It becomes: {', '.join(possible)}.",
    )


def refusal(model: Model, recipe: Recipe) -> str:
    """Why the recipe's format or runtime refuses the model, by declarations alone ("" if they do not)."""
    return find("exporters", recipe.exporter).refuses(model, recipe) or runtime_of(recipe).refuses(model, recipe)
