"""A small network of convolutions on pixels, and its static int8 export, for tests of exporters with that form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from helpers.toys.bare import bare_model
from torch import Tensor, nn

from edgekit.core import (
    Artifact,
    Checkpoint,
    Exporter,
    Feeds,
    Part,
    Recipe,
    TensorSpec,
)
from edgekit.runtimes.resolved import runtime_for

CHECKPOINT = Checkpoint(Path("toy"), "toy", {}, {}, {})
SIZE, CLASSES, LAYERS = 16, 10, 5


class Tiny(nn.Module):
    """Pixels, a ReLU6, a depthwise layer, a residual, a mean and a classifier; weights of very unlike channels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.linear = nn.Conv2d(32, 32, 1)
        self.wide = nn.Conv2d(32, 64, 3)
        self.head = nn.Linear(64, CLASSES)
        with torch.no_grad():
            self.linear.weight *= torch.logspace(-3, 1, 32)[:, None, None, None]

    def forward(self, pixels: Tensor) -> Tensor:
        x = (pixels.permute(0, 3, 1, 2).float() - 127) / 128
        x = F.relu6(self.first(x))
        x = x + self.linear(F.relu6(self.depthwise(x)))
        out: Tensor = self.head(F.relu(self.wide(x)).mean((2, 3)))
        return out


PART = Part(
    "network",
    (TensorSpec("pixels", "uint8", (1, SIZE, SIZE, 3)),),
    (TensorSpec("logits", "float32", (1, CLASSES)),),
    {},
    lambda checkpoint: Tiny(),
)


def pictures(count: int, seed: int = 0) -> list[Feeds]:
    random = np.random.default_rng(seed)
    smooth = random.integers(0, 256, (count, 1, 4, 4, 3)).repeat(4, 2).repeat(4, 3)
    return [{"pixels": picture.astype(np.uint8)} for picture in smooth]


def quiet(what: str, done: int, total: int) -> None:
    pass


def export(
    exporter: Exporter,
    folder: Path,
    calibration: Mapping[str, Sequence[Feeds]],
    precision: str = "int8",
    runtime: str = "",
    **options: Any,
) -> Artifact:
    """What `exporter` makes of `Tiny` in ``folder/out``."""
    (folder / "out").mkdir(exist_ok=True)
    recipe = Recipe(runtime or runtime_for(exporter.name), precision, options, exporter.name)
    return exporter.export(bare_model(PART), CHECKPOINT, recipe, calibration, folder / "out", folder, quiet)[0]
