"""What a recipe asks of the ExecuTorch exporter, checked."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.quantization import plan


@dataclass(frozen=True)
class Wish(plan.Wish):
    """See `edgekit.exporters.executorch.ExecutorchExporter`."""

    partitioners: bool = False
