"""Small exports to ExecuTorch, for the tests of that exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers.cases.litert_cases import CHECKPOINT, model
from helpers.toys.tiny_vision import PART, quiet
from torch import Tensor, nn

from edgekit.core import Artifact, Axis, Part, Recipe, TensorSpec
from edgekit.exporters.executorch import EXPORTER


def export(folder: Path, precision: str, part: Part = PART, feeds: Any = (), **options: Any) -> Artifact:
    for name in ("out", "work"):
        (folder / name).mkdir(exist_ok=True, parents=True)
    recipe = Recipe("executorch", precision, options)
    calibration = {part.name: feeds}
    return EXPORTER.export(model(part), CHECKPOINT, recipe, calibration, folder / "out", folder / "work", quiet)[0]


class Sound(nn.Module):
    """A convolution over time, a product, and an output that is as long as the input."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.out = nn.Conv1d(4, 8, 3, padding=1), nn.Linear(8, 6)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        y = self.out(torch.relu(self.conv(sound)).transpose(1, 2))
        return y, y.mean(1)


#: `Sound` with a dynamic axis.
LONG = Part(
    "sound",
    (TensorSpec("sound", "float32", (1, 4, "time")),),
    (TensorSpec("y", "float32", (1, "time", 6)), TensorSpec("middle", "float32", (1, 6))),
    {"time": Axis(2, 300, 50)},
    lambda checkpoint: Sound(),
)


def sounds(*lengths: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    return [{"sound": rng.standard_normal((1, 4, length)).astype(np.float32)} for length in lengths]
