"""Ends of a part that Core ML does not have as torch does: truth values, constants, doubles, an input as an output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toys.bare import bare_model
from torch import Tensor, nn

from edgekit.core import Checkpoint, Feeds, Part, Recipe, TensorSpec
from edgekit.exporters.coreml import EXPORTER
from edgekit.runtimes.coreml import RUNTIME


class Masked(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x.masked_fill(~mask, 0.0), ~mask, x


class Constant(nn.Module):
    """Outputs that no input is needed for, two of them the same, and a table that is a weight, too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.table = nn.Linear(64, 64), nn.Parameter(torch.randn(64, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (
            self.linear(x),
            torch.ones(3),
            torch.ones(3),
            torch.arange(5),
            torch.tensor([True, False]),
            self.table * 1,
        )


def run(part: Part, precision: str, feeds: Feeds, folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What the part gives, exported and loaded."""
    checkpoint = Checkpoint(folder, "none", {}, {}, {})
    [made] = EXPORTER.export(
        bare_model(part), checkpoint, Recipe("coreml", precision), {}, folder, folder, lambda *_: None
    )
    return dict(RUNTIME.load(folder / made.file, 1)(feeds))


def test_truth_values_stay_true_and_an_input_may_be_an_output(tmp_path: Path) -> None:
    part = Part(
        "network",
        (TensorSpec("x", "float32", (1, 4)), TensorSpec("mask", "bool", (1, 4))),
        (TensorSpec("y", "float32", (1, 4)), TensorSpec("off", "bool", (1, 4)), TensorSpec("x2", "float32", (1, 4))),
        {},
        lambda _: Masked().eval(),
    )
    x, mask = np.array([[1, 2, 3, 4]], np.float32), np.array([[True, False, True, False]])
    answer = run(part, "fp32", {"x": x, "mask": mask}, tmp_path)
    np.testing.assert_array_equal(answer["y"], np.where(mask, x, 0))
    np.testing.assert_array_equal(answer["off"], ~mask)
    np.testing.assert_array_equal(answer["x2"], x)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_output_may_be_a_constant(tmp_path: Path, precision: str) -> None:
    module = Constant().eval()
    x = torch.randn(1, 64)
    wanted = [tensor.detach().numpy() for tensor in module(x)]
    specs = tuple(TensorSpec(f"o{i}", array.dtype.name, array.shape) for i, array in enumerate(wanted))
    part = Part("network", (TensorSpec("x", "float32", (1, 64)),), specs, {}, lambda _: module)
    answer = run(part, precision, {"x": x.numpy()}, tmp_path)
    for spec, array in list(zip(specs, wanted, strict=True))[1:]:
        assert answer[spec.name].dtype == array.dtype
        np.testing.assert_allclose(answer[spec.name], array, rtol=1e-3)


class Double(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.float() * 2, x + 0.25


def test_doubles_are_taken_and_given_in_single_precision(tmp_path: Path) -> None:
    part = Part(
        "network",
        (TensorSpec("x", "float64", (1, 4)),),
        (TensorSpec("y", "float32", (1, 4)), TensorSpec("z", "float64", (1, 4))),
        {},
        lambda _: Double().eval(),
    )
    x = np.array([[0.5, -0.25, 1.75, 3.125]])
    answer = run(part, "fp32", {"x": x}, tmp_path)
    np.testing.assert_array_equal(answer["y"], (x * 2).astype(np.float32))
    np.testing.assert_array_equal(answer["z"], x + 0.25)
