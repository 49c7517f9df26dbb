"""Biases of Core ML programs take up what rounded weights shift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.coreml_cases import export
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec
from edgekit.runtimes.coreml.interpreter.program import Program

pytestmark = pytest.mark.thorough

SHAPE = (1, 16, 12, 12)


class Shared(nn.Module):
    """Two convolutions whose biases are the same numbers, for inputs that have a mean, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Conv2d(16, 32, 3), nn.Conv2d(32, 32, 3)
        self.last = nn.Linear(32, 80)
        for bias in (self.first.bias, self.second.bias):
            assert bias is not None
            nn.init.constant_(bias, 0.25)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x))))
        out: Tensor = self.last(x.mean((2, 3)))
        return out


def made(tmp_path: Path, precision: str, feeds: list[Feeds]) -> tuple[Program, Any]:
    module = Shared().eval()
    part = Part("toy", (TensorSpec("x", "float32", SHAPE),), (TensorSpec("y", "float32", (1, 80)),), {},
                lambda checkpoint: module)  # fmt: skip
    artifact = export(tmp_path, precision, {"keep": "none"} if precision != "fp16" else {}, part=part, feeds=feeds)
    return Program(tmp_path / artifact.file), module


def photos(first: int, count: int) -> list[Feeds]:
    return [
        {"x": (1 + np.random.default_rng(first + i).standard_normal(SHAPE)).astype(np.float32)} for i in range(count)
    ]


def error(program: Program, module: Any, feeds: list[Feeds]) -> float:
    with torch.inference_mode():
        truth = np.concatenate([module(torch.from_numpy(one["x"])).numpy() for one in feeds])
    return float(np.linalg.norm(np.concatenate([program(one)["y"] for one in feeds]) - truth))


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_it_is_nearer_on_inputs_that_it_has_not_seen(tmp_path: Path, precision: str) -> None:
    without, module = made(tmp_path / "without", precision, [])
    with_, _ = made(tmp_path / "with", precision, photos(0, 4))
    unseen = photos(100, 8)
    assert error(with_, module, unseen) < 0.6 * error(without, module, unseen)


def test_every_layer_takes_up_its_own_shift(tmp_path: Path) -> None:
    """Also where two layers had one bias; on average a channel of the first layer then is what it was."""
    feeds = photos(0, 3)
    plain, module = made(tmp_path / "plain", "fp16", [])
    small, _ = made(tmp_path / "small", "int8", feeds)
    moved = [plain.moved(one, small) for one in feeds]
    assert len(moved[0]) == 3
    biases = [
        {name: program.constants(name)["bias"].numpy() for name in moved[0]} for program in (plain, small)
    ]  # as the two programs have them
    for name in moved[0]:
        mean = np.mean([one[name].numpy() for one in moved], axis=0)
        assert np.abs(mean).max() > 1e-4
        np.testing.assert_allclose(biases[0][name] - biases[1][name], mean, atol=2e-4)
    first = next(iter(moved[0]))
    with torch.inference_mode():
        for one, own in zip(feeds, moved, strict=True):
            x = torch.from_numpy(one["x"])
            weights = small.constants(first)["weight"]
            expected = nn.functional.conv2d(x, weights - module.first.weight.half().float()).mean((0, 2, 3))
            torch.testing.assert_close(own[first], expected, atol=1e-4, rtol=1e-2)
