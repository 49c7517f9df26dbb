"""Budgets: whether a model fits a target, from declarations only."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from edgekit.common.figures import figure
from edgekit.core import Model, Recipe, Target
from edgekit.errors import BadInput, OverBudget, UnknownName, Unsupported
from edgekit.estimation.recipes import choose_recipe, refusal, unrunnable
from edgekit.registry import find, names, serving

#: Budgets that a user may set: arguments of `replace_budgets`, options of `fit` and `export`.
BUDGETS = ("board", "flash", "ram", "download")


def target_of_board(board: str) -> str:
    """Name of the target of a board. Raises UnknownName for a board that no target has."""
    known: dict[str, str] = {}
    for name in names("targets"):
        known |= dict.fromkeys(find("targets", name).boards, name)
    if board.lower() not in known:
        raise UnknownName.of("board", board, known)
    return known[board.lower()]


def replace_budgets(
    target: Target,
    board: str | None = None,
    flash: int | None = None,
    ram: int | None = None,
    download: int | None = None,
) -> Target:
    """`target` with the budgets of a board, or with single budgets replaced, in bytes.

    Args:
        ram: memory that the program may use; on a phone or laptop the app's share, not the device's memory.
        download: of a phone, if the model is not delivered with the app (an asset pack, the app's own server).

    Raises:
        UnknownName: the target has no such board. BadInput: a budget that is not above 0, or a board, flash or
            download for a target that has none.
    """
    if (target.flash is None and flash is not None) or (board is not None and not target.boards):
        raise BadInput(
            f"{target.name} has no {'flash' if board is None else 'board'}.",
            hint="--flash goes with a microcontroller such as cortex-m4, --board with what has boards: "
            f"{', '.join(name for name in names('targets') if find('targets', name).boards)}. --ram goes with all.",
        )
    if board is not None:
        if board.lower() not in target.boards:
            raise UnknownName.of(f"board of {target.name}", board, target.boards)
        part = target.boards[board.lower()]
        target = replace(target, flash=part.flash or target.flash, ram=part.ram or target.ram, boards={part.name: part})
    if target.download is None and download is not None:
        raise BadInput(f"{target.name} has no budget for downloads.", hint="--download goes with android and ios.")
    for name, budget in (("flash", flash), ("RAM", ram), ("download", download)):
        if budget is not None and budget <= 0:
            raise BadInput(f"a {name} budget of {budget} bytes holds nothing.", hint="Give sizes such as 1MB or 256KB.")
    own = replace(target, flash=flash or target.flash, ram=ram or target.ram)
    return replace(own, download=download or target.download)


def expected_size(model: Model, recipe: Recipe) -> int:
    """Bytes of a bundle, by the declaration: its files, and what its runtime compiles ahead."""
    return round(model.costs.size(recipe) * (1 + find("runtimes", recipe.runtime).compiled))


def hopeless(model: Model, target: Target) -> bool:
    """Whether the weights exceed the flash even at a byte each."""
    return target.flash is not None and model.network.parameters > target.flash


def check(model: Model, target: Target, recipe: Recipe) -> None:
    """Raise OverBudget if the estimate exceeds a budget, before any download; and Unsupported if the exporter refuses
    the model.

    An exporter that plans memory itself (`Exporter.plans_memory`) knows to the byte, before it generates anything.
    For it, only a model that is `hopeless` is refused here.
    """
    reasons = excess(model, target, recipe)
    if find("exporters", recipe.exporter).plans_memory and not hopeless(model, target):
        reasons = []
    if reasons:
        near = nearest(model, target)
        raise OverBudget(
            f"{model.name} in {recipe.precision} will not fit {target.name}: {'; '.join(reasons)}.",
            hint=_beside_what_fits(
                f"What fits: {near}." if near else "No recipe or relative of this model fits.",
                target if target.download is not None and expected_size(model, recipe) > target.download else None,
            ),
        )
    if why := refusal(model, recipe):
        near = nearest(model, target)
        raise Unsupported(f"{model.name} on {target.name}: {why}.", hint=f"What fits: {near}." if near else "")


def _beside_what_fits(hint: str, target: Target | None) -> str:
    """`hint`, and the store's rule if a download is too large."""
    return f"{hint} {target.store}." if target and target.store else hint


def check_size(target: Target, size: int) -> None:
    """Raise OverBudget if a finished bundle of `size` bytes exceeds the target's download budget."""
    budget = target.download  # flash is checked by the exporter
    if budget is not None and size > budget:
        raise OverBudget(
            f"the bundle has {figure(size, 'B')}, {target.name} takes {figure(budget, 'B')}.",
            hint=_beside_what_fits("Choose a smaller --precision or model.", target),
        )


def excess(model: Model, target: Target, recipe: Recipe) -> list[str]:
    """The budgets that the estimate exceeds, as phrases with both numbers; empty if the model fits."""
    size, ram = expected_size(model, recipe), model.costs.memory(recipe)
    budgets = (("download", size, target.download), ("flash", size, target.flash), ("RAM", ram, target.ram))
    return [
        f"{name} {figure(need, 'B')} of {figure(budget, 'B')}"
        for name, need, budget in budgets
        if budget is not None and need > budget
    ]


def nearest(model: Model, target: Target) -> str:
    """The recipe or model nearest to `model` that fits: its own largest recipe, preferably of the target's default
    runtime; else that of its largest smaller relative ("" if there is none)."""
    relatives = [model] if model.identity.importer else []
    for name in names("models"):
        with contextlib.suppress(Unsupported):  # a broken model of another package
            relatives.append(find("models", name))
    # Of a target without declared runtimes, only the default one is known.
    runtimes = tuple(target.runtimes) or (choose_recipe(model, target, None, None).runtime,)
    own = [
        other
        for other in relatives
        if other.identity.family == model.identity.family and other.network.parameters <= model.network.parameters
    ]
    options = []
    for other in own:
        for runtime in runtimes:
            with contextlib.suppress(Unsupported):
                options += _fitting(other, target, runtime, other.name == model.name)
    return max(options)[-1] if options else ""


def _fitting(model: Model, target: Target, runtime: str, same: bool) -> list[tuple[bool, bool, int, bool, int, str]]:
    """The recipes of a runtime by which `model` fits, as sort keys. Raises Unsupported if there are none."""
    default = choose_recipe(model, target, None, None)
    fitting = []
    exporter = find("runtimes", runtime).formats[0]
    serves = serving(model, exporter)
    for precision in find("exporters", exporter).precisions:
        recipe = choose_recipe(model, target, precision, runtime)
        if unrunnable(target, recipe) or refusal(serves, recipe) or excess(serves, target, recipe):
            continue
        first = runtime == default.runtime
        name = "this model with" if same and model.identity.importer else model.name
        text = f"{name} --precision {precision}" + ("" if first else f" --runtime {runtime}")
        # Of this model the largest recipe; of its relatives the largest model, in the target's default precision.
        usual = not same and precision == default.precision
        size = expected_size(serves, recipe)
        fitting.append((same, first, 0 if same else model.network.parameters, usual, size, text))
    return fitting
