"""What a recipe asks of the LiteRT exporter, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from edgekit.core import Part
from edgekit.quantization import plan


@dataclass(frozen=True)
class Wish(plan.Wish):
    """See `edgekit.exporters.litert.LitertExporter`."""

    io: str = "float"
    sizes: Mapping[str, int] = field(default_factory=dict)


def unkept_axes(part: Part, sizes: Collection[str] = ()) -> set[str]:
    """The axes of `part`, but those in `sizes`, that a .tflite cannot keep free: all but an only one that may be
    padded."""
    axes = {name: axis for name, axis in part.axes.items() if name not in sizes}
    return set() if len(axes) == 1 and all(axis.padded for axis in axes.values()) else {*axes}
