"""What a recipe asks of the ExecuTorch exporter, checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """See `edgekit.exporters.executorch.ExecutorchExporter`.

    `form` and `calibration` are None where measurement decides.
    """

    form: str | None
    calibration: str | None
    float_layers: tuple[str, ...]
    float_parts: tuple[str, ...]
