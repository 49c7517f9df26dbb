"""The GE2E speaker encoder as Resemblyzer has it (Wan, Wang, Papir and Lopez Moreno 2018, arXiv:1710.10467)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.errors import BadInput
from edgekit.models._speaker_shape import GE2E

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
        return self.embedding(out[:, -1:])

    def embedding(self, last: Tensor) -> Tensor:
        """Of the last layer's output at the last frame, [stretches, 1, 256]."""
        raw = torch.relu(self.linear(last))[:, 0]
        return raw / torch.clamp(raw.norm(dim=1, keepdim=True), min=_LEAST)


class Steps(nn.Module):
    """The same network for a few frames, frame by frame, in operators that every runtime has.

    forward: features float32 [stretches, frames, 40], hidden and cell float32 [3, stretches, 256] →
        (embedding [stretches, 256] of all frames so far, hidden, cell).
    """

    def __init__(self, whole: Ge2e) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, features: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        frames, last_hidden, last_cell = features, [], []
        for layer in range(LAYERS):
            h, c = hidden[layer], cell[layer]
            weight, bias = (getattr(self.whole.lstm, f"{name}_hh_l{layer}") for name in ("weight", "bias"))
            given, shift = (getattr(self.whole.lstm, f"{name}_ih_l{layer}") for name in ("weight", "bias"))
            gates = F.linear(frames, given, shift + bias)  # of all frames at once: only the state has to wait
            out = []
            for frame in range(frames.shape[1]):
                gate = gates[:, frame] + F.linear(h, weight)
                opened = torch.sigmoid(gate)  # of all four: cheaper than cutting out the three that need it
                kept, forgotten, _, shown = opened.split(HIDDEN, dim=1)
                c = forgotten * c + kept * torch.tanh(gate[:, 2 * HIDDEN : 3 * HIDDEN])
                h = shown * torch.tanh(c)
                out.append(h)
            frames = torch.stack(out, dim=1)
            last_hidden.append(h)
            last_cell.append(c)
        return self.whole.embedding(frames[:, -1:]), torch.stack(last_hidden), torch.stack(last_cell)


def network(tensors: Mapping[str, Any]) -> Ge2e:
    """The network with the weights of `tensors`, in Resemblyzer's names; what training left beside them is ignored.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    module = Ge2e()
    state = {}
    for name, value in module.state_dict().items():
        given = tensors.get(name)
        if given is None:
            raise BadInput(f"the weights lack {name!r}: they are not a GE2E encoder in Resemblyzer's layout.")
        if tuple(given.shape) != tuple(value.shape):
            raise BadInput(f"the weights {name!r} are {list(given.shape)}, not {list(value.shape)}.")
        state[name] = torch.from_numpy(np.array(given, np.float32))
    module.load_state_dict(state)
    return module.eval()
