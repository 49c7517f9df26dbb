"""What a recipe asks of quantization, and what is decided of it: a plan, which an exporter writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from edgekit.core import Facts
from edgekit.errors import Unsupported

#: Why, where the recipe leaves no choice.
ASKED = "the recipe says so"


def is_named(layer: str, names: Collection[str]) -> bool:
    """Whether one of `names` means a layer: its own (`edgekit.quantization.weights.identifiers`), that of its module,
    or that of the first of several operators with the same weights (``layers.0.conv`` of ``layers.0.conv:1``)."""
    plain = layer.replace("/", ".").replace(":", ".")
    return layer in names or any(plain.startswith(f"{name.replace('/', '.')}.") for name in names)


@dataclass(frozen=True)
class Wish:
    """What a recipe asks for, checked.

    What is said of all parts may also be said of each, as {part: value}: see `of`.

    Attributes:
        form, ranges: None where measurement decides.
        float_layers: names of layers, or how many of the most sensitive; None: as many as the format's bound demands.
        head: whether the first layers may stay float where the recipe names none (`Candidates.head`).
        float_parts: names of parts. weights: "per-channel" or "per-tensor" scales.
    """

    form: Any = None
    ranges: Any = None
    float_layers: Any = ()
    head: bool = True
    float_parts: tuple[str, ...] = ()
    weights: str = "per-channel"

    def of(self, part: str) -> Self:
        """What it says of a part."""
        own = {name: getattr(self, name) for name in ("form", "ranges", "float_layers")}
        own = {name: value.get(part) if isinstance(value, Mapping) else value for name, value in own.items()}
        layers = own.pop("float_layers")
        return replace(self, **own, float_layers=layers if isinstance(layers, int) else tuple(layers or ()))

    def check_layers(self, owner: str, known: Collection[str]) -> None:
        """Raise Unsupported for a layer to be kept in float that `owner` has not."""
        asked = self.float_layers.values() if isinstance(self.float_layers, Mapping) else [self.float_layers]
        for name in (name for names in asked if isinstance(names, tuple | list) for name in names):
            if not any(is_named(layer, [name]) for layer in known):
                few = ", ".join(list(known)[:20]) + (", ..." if len(known) > 20 else "")
                raise Unsupported(f"{owner} has no layer {name!r} to keep in float.", hint=f"It has: {few}.")


@dataclass(frozen=True)
class LayerPlan:
    """What becomes of a layer, and why."""

    form: str
    why: str


@dataclass(frozen=True)
class Plan:
    """What becomes of a part.

    Attributes:
        form: of the layers that are quantized; "float" where none is.
        ranges: how the ranges of activations are taken; "" where the form has none.
        floats: layer that stays float -> why. forms: layer of another form -> which, and why. why: of the form.
        facts: what was tried and measured (JSON-able).
    """

    form: str = "float"
    ranges: str = ""
    floats: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, LayerPlan] = field(default_factory=dict)
    why: str = ""
    facts: Facts = field(default_factory=dict)

    def __str__(self) -> str:
        ranges = f" ({self.ranges})" if self.ranges else ""
        return f"{self.form}{ranges}" + (f", {len(self.floats)} in float" if self.floats else "")

    def layers(self, forms: Mapping[str, str], unable: str = "") -> dict[str, LayerPlan]:
        """What became of every layer, from the form that each has now. `unable`: why others than `floats` are float."""
        whys = {"float": unable or self.why}
        return {name: LayerPlan(form, self.floats.get(name, whys.get(form, self.why))) for name, form in forms.items()}
