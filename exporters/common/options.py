"""The recipe, checked before anything heavy is loaded: its precision, and its options against what a format declares.

An exporter's options are a table: name -> rule. A rule is called with what the option is, for messages, its value and
the model, and raises Unsupported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from edgekit.core import Exporter, Model, Recipe
from edgekit.errors import Unsupported

Rule = Callable[[str, Any, Model], None]


def check(exporter: Exporter, rules: Mapping[str, Rule], model: Model, recipe: Recipe) -> None:
    """Raise Unsupported unless the exporter has the recipe's precision and options, with such values for `model`."""
    if recipe.precision not in exporter.precisions:
        raise Unsupported(
            f"the {exporter.name} exporter has no precision {recipe.precision!r}.", hint=_all(exporter.precisions)
        )
    for name, value in recipe.options.items():
        if name not in rules:
            raise Unsupported(f"the {exporter.name} exporter has no option {name!r}.", hint=_all(rules))
        rules[name](f"the {exporter.name} exporter's option {name}", value, model)


def values(*known: Any) -> Rule:
    """One of few values."""

    def rule(what: str, value: Any, model: Model) -> None:
        if value not in known:
            raise Unsupported(f"{what} has no value {value!r}.", hint=_all(known))

    return rule


def number(what: str, value: Any, model: Model) -> None:
    """A whole number from 1 on."""
    if not isinstance(value, int) or value < 1:
        raise Unsupported(f"{what} cannot be {value!r}.", hint="It is a number from 1 on.")


def between(least: float, most: float) -> Rule:
    """A number from `least` to `most`."""

    def rule(what: str, value: Any, model: Model) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise Unsupported(f"{what} cannot be {value!r}.", hint=f"It is a number from {least:g} to {most:g}.")

    return rule


def layers(what: str, value: Any, model: Model) -> None:
    """[layer, ...], by the names in the census."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise Unsupported(f"{what} is a list of names, not {value!r}.")


def layers_or_count(what: str, value: Any, model: Model) -> None:
    """As `layers`, or how many of the most sensitive."""
    if not isinstance(value, int):
        layers(what, value, model)


def parts(what: str, value: Any, model: Model) -> None:
    """[part, ...]."""
    layers(what, value, model)
    _names(model, "part", value, [part.name for part in model.network.parts])


def each_part(inner: Rule) -> Rule:
    """What `inner` takes, for all parts; or {part: what `inner` takes}."""

    def rule(what: str, value: Any, model: Model) -> None:
        if not isinstance(value, Mapping):
            inner(what, value, model)
            return
        parts(what, list(value), model)
        for own in value.values():
            inner(what, own, model)

    return rule


def float_layers(model: Model) -> dict[str, list[str]]:
    """Part -> the layers that its model says stay float in int8."""
    return {part.name: list(part.float_layers) for part in model.network.parts if part.float_layers}


def sizes(what: str, value: Any, model: Model) -> None:
    """{dynamic axis: a size that it may have}."""
    _mapping(what, value)
    axes = {name: axis for part in model.network.parts for name, axis in part.axes.items()}
    _names(model, "dynamic axis", value, axes)
    for name, size in value.items():
        axis = axes[name]
        if not isinstance(size, int) or not axis.least <= size <= axis.most or size % axis.multiple:
            raise Unsupported(
                f"the axis {name!r} of {model.name} cannot have the size {size!r}.",
                hint=f"It may have {axis.least} to {axis.most} in steps of {axis.multiple}.",
            )


def _mapping(what: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise Unsupported(f"{what} is a table of names and values, not {value!r}.")


def _names(model: Model, what: str, names: Any, known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise Unsupported(f"{model.name} has no {what} {name!r} to set an option for.", hint=_all(known))


def _all(known: Collection[Any]) -> str:
    return f"It has: {', '.join(map(str, known)) or 'none'}."
