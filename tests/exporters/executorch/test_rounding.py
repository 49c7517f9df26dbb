"""Weights of an exported graph, rounded by the inputs of their layers.

Only functions import ExecuTorch. Its import takes seconds, and every run imports this file to look for tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec


class Picture(nn.Module):
    """A padded convolution with a stride, a depthwise and a dilated one, one over time without a bias, a product."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(3, 24, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.wide = nn.Conv2d(24, 16, 3, padding=2, dilation=2, groups=2)
        self.time = nn.Conv1d(16, 12, 3, padding=1, bias=False)
        self.out = nn.Linear(12, 5)

    def forward(self, pixels: Tensor) -> Tensor:
        x = torch.relu(self.stem(pixels))
        x = torch.relu(self.wide(torch.relu(self.depthwise(x))))
        scores: Tensor = self.out(self.time(x.flatten(2)).transpose(1, 2))
        return scores


PART = Part(
    "picture",
    (TensorSpec("pixels", "float32", (1, 3, 16, 16)),),
    (TensorSpec("scores", "float32", (1, 64, 5)),),
    {},
    lambda checkpoint: Picture(),
)


@pytest.fixture(scope="module")
def graph() -> Any:
    return exported()


def exported() -> Any:
    from edgekit.exporters.executorch.tidy import tidy

    made: Any = torch.export.export(Picture().eval(), (torch.zeros(1, 3, 16, 16),)).module()
    tidy(made)
    return made


def rounded(graph: Any, feeds: list[Feeds]) -> Any:
    from edgekit.exporters.executorch.rounding import rounded

    return rounded(PART, graph, feeds, lambda i, n: None)


def pictures(count: int = 30) -> list[Feeds]:
    rng = np.random.default_rng(0)
    mix = np.array([[1.0, 0.1, 0.0], [0.8, 0.4, 0.1], [0.7, 0.3, 0.2]], np.float32)
    drawn = rng.uniform(-1, 1, (count, 1, 3, 16, 16)).astype(np.float32)
    return [{"pixels": np.einsum("ij,njhw->nihw", mix, one) + np.float32(0.4)} for one in drawn]


def answers(graph: Any, feeds: list[Feeds]) -> Any:
    from edgekit.exporters.executorch import int8

    with torch.no_grad():
        return np.concatenate([graph(*int8.tensors(PART, feed)).numpy() for feed in feeds])


def weights(graph: Any) -> dict[str, Any]:
    return {name: graph.get_parameter(node.args[1].target).detach() for name, node in layers(graph).items()}


def layers(graph: Any) -> dict[str, Any]:
    from edgekit.exporters.executorch import int8

    return dict(int8.layers(graph))


def test_every_weight_lies_on_the_grid_of_its_output(graph: Any) -> None:
    from edgekit.exporters.executorch.tidy import CONVOLUTIONS

    before = {name: weight.clone() for name, weight in weights(graph).items()}
    made = rounded(graph, pictures())
    assert len(before) == 5 and any(node.target in CONVOLUTIONS for node in layers(made).values())
    for name, weight in weights(made).items():
        rows = weight.reshape(len(weight), -1)
        steps = rows / (rows.abs().amax(1, keepdim=True) / 127)
        assert (steps - steps.round()).abs().max() < 1e-3, name
        assert (weight - before[name]).abs().max() > 0, name
        assert torch.equal(weights(graph)[name], before[name]), "the float graph is not touched"


def test_means_stay_and_errors_shrink(graph: Any) -> None:
    """The bias takes up what rounding shifts, at the borders of a padded image too; so mean outputs are the same."""
    feeds = pictures()
    truth = answers(graph, feeds)
    made = answers(rounded(graph, feeds), feeds)
    near = answers(to_nearest(graph), feeds)
    assert np.abs((made - truth).mean((0, 1))).max() < 0.5 * np.abs((near - truth).mean((0, 1))).max()
    assert np.square(made - truth).mean() < 0.5 * np.square(near - truth).mean()


def to_nearest(graph: Any) -> Any:
    """Weights with a scale an output, each to the nearest step."""
    made = exported()
    for weight in weights(made).values():
        step = weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / 127
        weight.copy_((weight / step).round() * step)
    return made
