"""Smaller weights of Core ML programs: rounded by inputs, with biases that take up what that shifts."""

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


def part_of(module: Any) -> Part:
    sides = (TensorSpec("x", "float32", SHAPE),), (TensorSpec("y", "float32", (1, 80)),)
    return Part("toy", *sides, {}, lambda checkpoint: module)


def made(tmp_path: Path, precision: str, feeds: list[Feeds]) -> tuple[Program, Any]:
    module = Shared().eval()
    artifact = export(tmp_path, precision, {"keep": "none"}, part=part_of(module), feeds=feeds)
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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # coremltools drops a temporary folder
def test_every_layer_gets_the_bits_that_are_said_of_it(tmp_path: Path) -> None:
    from edgekit.exporters.coreml.compress import compress_weights
    from edgekit.exporters.coreml.convert import Wish, convert_part
    from edgekit.runtimes.coreml.quiet import quiet

    module = Shared().eval()
    with quiet():
        plain = convert_part(part_of(module), module, Wish("fp16", "", 18))
    layers = list(reversed(saved(plain, tmp_path / "plain.mlpackage").layers))
    forms = dict(zip(layers, ("int6", "float", "int4"), strict=True))
    with quiet():
        program = compress_weights(plain, "int4", "grouped", forms)
    small, before = (saved(one, tmp_path / f"{name}.mlpackage") for name, one in (("small", program), ("plain", plain)))
    first, second, last = (small.layers[layer] for layer in layers)
    assert 16 < len(first.unique()) <= 64  # 32 outputs share a palette
    assert second.equal(before.layers[layers[1]])
    assert all(len(group.unique()) <= 16 for group in last.split(8)) and len(last.unique()) > 16


def saved(program: Any, file: Path) -> Program:
    program.save(str(file))
    return Program(file)


@pytest.mark.parametrize(
    ("bits", "outputs", "share"), [(4, 32, 8), (4, 20, 5), (4, 7, 7), (4, 11, 0), (6, 96, 32), (6, 40, 20), (6, 31, 31)]
)
def test_outputs_are_divided_into_groups(bits: int, outputs: int, share: int) -> None:
    from edgekit.exporters.coreml.grids import group_of

    assert group_of(bits, "grouped", outputs) == share
    assert group_of(bits, "palette", outputs) == 0
