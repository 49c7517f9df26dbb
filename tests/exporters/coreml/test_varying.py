"""A size that Core ML's converter fixes although it varies: one typed error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.toys.bare import bare_model
from torch import Tensor, nn

from edgekit.core import Axis, Checkpoint, Part, Recipe, TensorSpec
from edgekit.errors import ExportFailed
from edgekit.exporters.coreml import EXPORTER


class Fixing(nn.Module):
    """Reshapes by the size that it was traced with."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x).reshape(int(x.shape[0]), 8, 8).sum(2)


def test_a_size_that_became_fixed_is_a_typed_error(tmp_path: Path) -> None:
    part = Part(
        "network",
        (TensorSpec("x", "float32", ("count", 64)),),
        (TensorSpec("y", "float32", ("count", 8)),),
        {"count": Axis(least=1, most=4, example=2)},
        lambda _: Fixing().eval(),
    )
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(0, 1, (1 + i % 3, 64)).astype(np.float32)} for i in range(8)]
    checkpoint = Checkpoint(tmp_path, "none", {}, {}, {})
    with pytest.raises(ExportFailed, match=r"'network' does not run on its inputs"):
        EXPORTER.export(
            bare_model(part), checkpoint, Recipe("coreml", "int8"), {"network": feeds}, tmp_path, tmp_path, lambda *_: 0
        )
