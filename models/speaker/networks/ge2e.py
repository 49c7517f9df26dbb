"""The GE2E speaker encoder as Resemblyzer has it (Wan, Wang, Papir and Lopez Moreno 2018, arXiv:1710.10467)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.common.lazy import NDArray
from edgekit.models.common.filling import load_tensors
from edgekit.models.speaker.shapes import GE2E

HIDDEN, LAYERS = 256, 3
#: A voice of which every value is cut off has no direction; the original divides by zero.
_LEAST = 1e-6


class Ge2e(nn.Module):
    """features float32 [stretches, frames, 40] → embedding float32 [stretches, 256] of length 1, without negatives."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(GE2E.mels, HIDDEN, LAYERS, batch_first=True)
        self.linear = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, features: Tensor) -> Tensor:
        out, _ = self.lstm(features)
        raw = torch.relu(self.linear(out[:, -1:]))[:, 0]
        return raw / torch.clamp(raw.norm(dim=1, keepdim=True), min=_LEAST)


def network(tensors: Mapping[str, NDArray[Any]]) -> Ge2e:
    """The network with the weights of `tensors`, in Resemblyzer's names; what training left beside them is ignored.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    return load_tensors(Ge2e(), tensors, "a GE2E encoder's in Resemblyzer's layout")
