"""What a recipe asks of quantization, and what is decided of it: a plan, which an exporter writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.errors import Unsupported

__all__ = ["ASKED", "LayerPlan", "Plan", "Wish", "is_named"]

#: Why, where the recipe leaves no choice.
ASKED = "the recipe says so"


def is_named(layer: str, names: Collection[str]) -> bool:
    """Whether one of `names` means a layer: by the format's own name, or by the source's module of which it was made
    (``layers.0.conv``, whose operator is ``layers.0.conv/Conv`` in ONNX and ``layers/0/conv/CONV_2D`` in LiteRT)."""
    plain = layer.replace("/", ".")
    return layer in names or any(plain.startswith(f"{name.replace('/', '.')}.") for name in names)


@dataclass(frozen=True)
class Wish:
    """What a recipe asks for, checked.

    Attributes:
        form, ranges: None where measurement decides.
        float_layers: names of layers, or how many of the most sensitive; None: as many as the format's bound demands.
        head: whether the first layers may stay float where the recipe names none (`Candidates.head`).
        float_parts: names of parts. weights: "per-channel" or "per-tensor" scales.
    """

    form: str | None = None
    ranges: str | None = None
    float_layers: tuple[str, ...] | int | None = ()
    head: bool = True
    float_parts: tuple[str, ...] = ()
    weights: str = "per-channel"

    def check_layers(self, owner: str, known: Collection[str]) -> None:
        """Raise Unsupported for a layer to be kept in float that `owner` has not."""
        for name in self.float_layers if isinstance(self.float_layers, tuple) else ():
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
        floats: layer that stays float -> why. why: of the form. facts: what was tried and measured (JSON-able).
    """

    form: str = "float"
    ranges: str = ""
    floats: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        ranges = f" ({self.ranges})" if self.ranges else ""
        return f"{self.form}{ranges}" + (f", {len(self.floats)} in float" if self.floats else "")

    def layers(self, forms: Mapping[str, str], unable: str = "") -> dict[str, LayerPlan]:
        """What became of every layer, from the form that each has now. `unable`: why others than `floats` are float."""
        whys = {"float": unable or self.why}
        return {name: LayerPlan(form, self.floats.get(name, whys.get(form, self.why))) for name, form in forms.items()}
