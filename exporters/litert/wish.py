"""What a recipe asks of the LiteRT exporter, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """See `edgekit.exporters.litert.LitertExporter`. `form` and `calibration` are None where measurement decides."""

    form: str | None
    calibration: str | None
    io: str
    float_layers: tuple[str, ...] | int
    float_parts: tuple[str, ...]
    sizes: Mapping[str, int]
    weights: str = "per-channel"
