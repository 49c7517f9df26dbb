"""What a recipe asks of the LiteRT exporter, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.quantization import plan


@dataclass(frozen=True)
class Wish(plan.Wish):
    """See `edgekit.exporters.litert.LitertExporter`."""

    io: str = "float"
    sizes: Mapping[str, int] = field(default_factory=dict)
