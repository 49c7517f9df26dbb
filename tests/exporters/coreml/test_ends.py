"""Ends of a part that Core ML does not have as torch does: truth values, and an input that is an output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.toys.bare import bare_model
from torch import Tensor, nn

from edgekit.core import Checkpoint, Part, Recipe, TensorSpec
from edgekit.exporters.coreml import EXPORTER


class Masked(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x.masked_fill(~mask, 0.0), ~mask, x


def test_truth_values_stay_true_and_an_input_may_be_an_output(tmp_path: Path) -> None:
    part = Part(
        "network",
        (TensorSpec("x", "float32", (1, 4)), TensorSpec("mask", "bool", (1, 4))),
        (TensorSpec("y", "float32", (1, 4)), TensorSpec("off", "bool", (1, 4)), TensorSpec("x2", "float32", (1, 4))),
        {},
        lambda _: Masked().eval(),
    )
    checkpoint = Checkpoint(tmp_path, "none", {}, {}, {})
    [made] = EXPORTER.export(
        bare_model(part), checkpoint, Recipe("coreml", "fp32"), {}, tmp_path, tmp_path, lambda *_: None
    )
    x, mask = np.array([[1, 2, 3, 4]], np.float32), np.array([[True, False, True, False]])
    answer = EXPORTER.load(tmp_path / made.file, 1)({"x": x, "mask": mask})
    np.testing.assert_array_equal(answer["y"], np.where(mask, x, 0))
    np.testing.assert_array_equal(answer["off"], ~mask)
    np.testing.assert_array_equal(answer["x2"], x)
