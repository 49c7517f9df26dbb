"""Silero VAD 6 at 16 kHz as a torch module: the spectrum of 36 ms, four convolutions, an LSTM cell, a probability.

The project publishes no paper; this is the network of its package's ``silero_vad_16k.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.models.common.silero.shapes import BINS, CONVOLUTIONS, HIDDEN, HOP, MIRRORED, WINDOW


class _Features(nn.Module):
    """What the LSTM reads of each frame: audio float32 [N, 576] -> [N, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrum = nn.Conv1d(1, 2 * BINS, WINDOW, HOP, bias=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(shape.inputs, shape.outputs, 3, shape.stride, padding=1) for shape in CONVOLUTIONS
        )

    def features(self, audio: Tensor) -> Tensor:
        mirrored = F.pad(audio[:, None], (0, MIRRORED), mode="reflect")
        real, imaginary = self.spectrum(mirrored).chunk(2, dim=1)
        x = (real * real + imaginary * imaginary).sqrt()
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        out: Tensor = x[:, :, 0]
        return out


class Silero(_Features):
    """``audio`` float32 [1, 576] in [-1, 1], ``h`` and ``c`` [1, 128] -> ``probability`` [1, 1], and the next states.

    The LSTM cell is written out as two products, which every format has and can hold in 8 bits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Linear(HIDDEN, 4 * HIDDEN)
        self.before = nn.Linear(HIDDEN, 4 * HIDDEN)
        self.decision = nn.Linear(HIDDEN, 1)

    def forward(self, audio: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates = self.inside(self.features(audio)) + self.before(h)
        entry, forget, new, out = gates.chunk(4, dim=1)
        c = torch.sigmoid(forget) * c + torch.sigmoid(entry) * torch.tanh(new)
        h = torch.sigmoid(out) * torch.tanh(c)
        return torch.sigmoid(self.decision(F.relu(h))), h, c


class SileroFrames(_Features):
    """The same for N frames in a row: ``audio`` [N, 576] -> ``probability`` [N, 1]. A call costs more than a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(HIDDEN, HIDDEN)
        self.decision = nn.Linear(HIDDEN, 1)

    def forward(self, audio: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out, (h, c) = self.cell(self.features(audio)[:, None], (h[None], c[None]))
        return torch.sigmoid(self.decision(F.relu(out[:, 0]))), h[0], c[0]


def network(tensors: Mapping[str, NDArray[Any]], frames: int = 1) -> Silero | SileroFrames:
    """The network of a single frame or of several a call, with weights in the names of Silero's own safetensors.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    module = Silero() if frames == 1 else SileroFrames()
    state = {}
    for name, value in module.state_dict().items():
        stored = _checkpoint_name(name)
        tensor = tensors.get(stored)
        if tensor is None:
            raise BadInput(f"the weights lack {stored!r}: they are not Silero VAD's of 16 kHz.")
        if tensor.size != value.numel() or tensor.shape[:2] != tuple(value.shape[:2]):
            raise BadInput(f"the weights {stored!r} are {list(tensor.shape)}, not {list(value.shape)}.")
        state[name] = torch.from_numpy(np.array(tensor, np.float32).reshape(value.shape))
    module.load_state_dict(state)
    return module.eval()


#: Layer -> its name in Silero's file, with a place for the kind of tensor.
_NAMES = {
    "spectrum": "stft_conv.{}",
    **{f"convolutions.{i}": f"conv{i + 1}.{{}}" for i in range(len(CONVOLUTIONS))},
    "inside": "lstm_cell.{}_ih",
    "before": "lstm_cell.{}_hh",
    "cell": "lstm_cell.{}",
    "decision": "final_conv.{}",
}


def _checkpoint_name(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    return _NAMES[layer].format(kind.removesuffix("_l0"))
