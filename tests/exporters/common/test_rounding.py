"""Weights of torch modules, rounded by the inputs of their layers, whatever format they are for."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec
from edgekit.exporters.common.rounding import round_weights
from edgekit.quantization.weights.gptq import Grid
from edgekit.quantization.weights.palettes import Palette

#: Parameters that are weights of a layer.
LAYERS = ("stem.0.weight", "depthwise.weight", "wide.weight", "time.weight", "mixed", "out.weight")


class Picture(nn.Module):
    """A normalized, padded convolution with a stride, a depthwise and a dilated one, one over time without a bias, a
    product with a parameter, one with a layer; and a table that is also looked up."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(24))
        self.depthwise = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.wide = nn.Conv2d(24, 16, 3, padding=2, dilation=2, groups=2)
        self.time = nn.Conv1d(16, 16, 3, padding=1, bias=False)
        self.mixed = nn.Parameter(torch.randn(16, 24) / 4)
        self.out = nn.Linear(24, 8)
        self.table = nn.Embedding(8, 8)
        norm = self.stem[1]
        for values, least in ((norm.running_var, 0.5), (norm.weight.data, 0.2), (norm.running_mean, -0.3)):
            values.uniform_(least, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        x = torch.relu(self.stem(pixels))
        x = torch.relu(self.wide(torch.relu(self.depthwise(x))))
        x = self.out(self.time(x.flatten(2)).transpose(1, 2) @ self.mixed)
        scores: Tensor = (x + self.table(torch.arange(8)[:1])) @ self.table.weight.T
        return scores


PART = Part(
    "picture",
    (TensorSpec("pixels", "float32", (1, 3, 16, 16)),),
    (TensorSpec("scores", "float32", (1, 64, 8)),),
    {},
    lambda checkpoint: Picture(),
)


def traced() -> Any:
    return torch.export.export(Picture().eval(), (torch.zeros(1, 3, 16, 16),)).module()


@pytest.fixture(params=[lambda: Picture().eval(), traced], ids=["module", "traced graph"])
def module(request: pytest.FixtureRequest) -> Any:
    return request.param()


def pictures(count: int = 30) -> list[Feeds]:
    rng = np.random.default_rng(0)
    mix = np.array([[1.0, 0.1, 0.0], [0.8, 0.4, 0.1], [0.7, 0.3, 0.2]], np.float32)
    drawn = rng.uniform(-1, 1, (count, 1, 3, 16, 16)).astype(np.float32)
    return [{"pixels": np.einsum("ij,njhw->nihw", mix, one) + np.float32(0.4)} for one in drawn]


def answers(module: Any, feeds: list[Feeds]) -> Any:
    with torch.no_grad():
        return np.concatenate([module(torch.from_numpy(feed["pixels"])).numpy() for feed in feeds])


def rows(module: Any, name: str) -> Any:
    """Weights, an output a row, as a converter gets them: with the normalization behind them."""
    weight = module.get_parameter(name).detach()
    if name == "stem.0.weight":
        parts = ("weight", "running_var")
        gain, variance = (dict(module.state_dict())[f"stem.1.{part}"] for part in parts)
        weight = weight * (gain / torch.sqrt(variance + 1e-5)).reshape(-1, 1, 1, 1)
    return (weight.T if name == "mixed" else weight).reshape(-1, weight[0].numel() if name != "mixed" else 16)


def rounded(module: Any, grid: Grid | Palette, feeds: list[Feeds], least: int = 0) -> Any:
    made = copy.deepcopy(module)
    round_weights(made, PART, feeds, lambda *_: grid, lambda i, n: None, least=least)
    return made


def test_every_weight_lies_on_the_grid_of_its_output(module: Any) -> None:
    made = rounded(module, Grid(8), pictures())
    for name in LAYERS:
        steps = rows(made, name) / (rows(made, name).abs().amax(1, keepdim=True) / 127)
        assert (steps - steps.round()).abs().max() < 1e-3, name
        assert (rows(made, name) - rows(module, name)).abs().max() > 0, name
    assert torch.equal(made.get_parameter("table.weight"), module.get_parameter("table.weight")), "is looked up, too"


def test_blocks_share_a_step(module: Any) -> None:
    made = rounded(module, Grid(4, 8), pictures())
    for name in ("mixed", "out.weight"):
        blocks = rows(made, name).reshape(-1, 8)
        steps = blocks / (blocks.abs().amax(1, keepdim=True) / 7)
        assert (steps - steps.round()).abs().max() < 1e-3, name


@pytest.mark.parametrize("outputs", [8, 0])
def test_outputs_share_a_palette(module: Any, outputs: int) -> None:
    made = rounded(module, Palette(4, outputs), pictures())
    for name in LAYERS:
        for group in rows(made, name).split(outputs or 1000):
            assert len(group.unique()) <= 16, name
        assert len(rows(module, name).unique()) > 16


@pytest.mark.parametrize("grid", [Grid(8), Grid(4, 8), Palette(4, 8), Palette(6)], ids=str)
def test_means_stay_and_errors_shrink(module: Any, grid: Grid | Palette) -> None:
    """Biases and normalizations take up what rounding shifts, at the borders of a padded image too."""
    feeds, fresh = pictures()[:20], pictures()[20:]
    truth = answers(module, fresh)
    made = answers(rounded(module, grid, feeds), fresh)
    near = answers(rounded(module, grid, [{"pixels": np.zeros_like(feeds[0]["pixels"])}]), fresh)
    assert np.abs((made - truth).mean((0, 1))).max() < 0.7 * np.abs((near - truth).mean((0, 1))).max()
    assert np.square(made - truth).mean() < 0.7 * np.square(near - truth).mean()


def test_small_weights_are_left_alone(module: Any) -> None:
    made = rounded(module, Grid(8), pictures()[:2], least=300)
    same = [name for name in LAYERS if torch.equal(made.get_parameter(name), module.get_parameter(name))]
    assert same == ["depthwise.weight", "out.weight"]
