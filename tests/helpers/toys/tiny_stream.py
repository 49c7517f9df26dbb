"""A small network over time whose residual stream has channels of very unlike sizes, as ECAPA-TDNN's has."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec

CHANNELS, FRAMES, BANDS, OUT = 24, 40, 12, 8


class TinyStream(nn.Module):
    """Two blocks of convolution, ReLU and normalization; a gate, a sum, padding by reflection; one vector comes out.

    Args:
        unlike: how many powers of ten the channels of the stream are apart.
    """

    def __init__(self, unlike: float = 2.0) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second = nn.Conv1d(BANDS, CHANNELS, 3), nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.norms = nn.ModuleList([nn.BatchNorm1d(CHANNELS), nn.BatchNorm1d(CHANNELS)])
        self.gate, self.third = nn.Conv1d(CHANNELS, CHANNELS, 1), nn.Conv1d(CHANNELS, 2 * CHANNELS, 3)
        self.vector = nn.Conv1d(2 * CHANNELS, OUT, 1)
        sizes = torch.logspace(0, -unlike, CHANNELS)
        with torch.no_grad():
            for norm in self.norms:
                norm.running_mean.copy_(0.1 * torch.rand(CHANNELS))
                norm.weight.copy_(8 * sizes * (1 + 0.1 * torch.rand(CHANNELS)))
                norm.bias.copy_(sizes * torch.rand(CHANNELS))
            for reader in (self.second, self.gate, self.third):  # what is small counts as much as what is large
                reader.weight /= 8 * sizes[None, :, None]

    def forward(self, features: Tensor) -> Tensor:
        x = self.norms[0](F.relu(self.first(F.pad(features, (1, 1), mode="reflect"))))
        y = self.norms[1](F.relu(self.second(x)))
        x = x + torch.sigmoid(self.gate(y.mean(2, keepdim=True))) * y
        out: Tensor = self.vector(F.relu(self.third(F.pad(x, (1, 1)))).mean(2, keepdim=True)).flatten(1)
        return out


PART = Part(
    "network",
    (TensorSpec("features", "float32", (1, BANDS, FRAMES)),),
    (TensorSpec("vector", "float32", (1, OUT)),),
    {},
    lambda checkpoint: TinyStream(),
)


def sounds(count: int, seed: int = 0) -> list[Feeds]:
    """Random features, smooth over time."""
    random = np.random.default_rng(seed)
    steps = random.normal(size=(count, 1, BANDS, FRAMES // 4)).repeat(4, axis=3)
    return [{"features": step.astype(np.float32)} for step in steps]
