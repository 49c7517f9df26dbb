"""Kaldi's log-mel filterbank as a graph, as the audio spectrogram transformer takes it.

A frame's mean, its pre-emphasis, its window and its Fourier transform are all linear: they are one table.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np

_RATE, _FRAME, _HOP, _FFT = 16_000, 400, 160, 512
_LOWEST, _PREEMPHASIS, _LEAST = 20.0, 0.97, 1.192092955078125e-07


def _basis() -> NDArray[np.float32]:
    """float32 [2 * (_FFT // 2 + 1), 1, _FRAME]."""
    n = np.arange(_FRAME)
    centred = np.eye(_FRAME) - 1.0 / _FRAME
    emphasis = np.eye(_FRAME) - _PREEMPHASIS * np.eye(_FRAME, k=-1)
    emphasis[0, 0] = 1.0 - _PREEMPHASIS
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * n / (_FRAME - 1))
    turns = (np.arange(_FFT // 2 + 1)[:, None] * n[None, :]) % _FFT
    waves = np.concatenate([np.cos(2 * np.pi * turns / _FFT), -np.sin(2 * np.pi * turns / _FFT)])
    table: NDArray[np.float32] = ((waves * window) @ emphasis @ centred)[:, None, :].astype(np.float32)
    return table


def _filters(mels: int) -> NDArray[np.float32]:
    """Triangles in mel space, from 20 Hz to half of the sample rate: float32 [mels, _FFT // 2 + 1]."""

    def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    bins = mel(np.linspace(0.0, _RATE / 2, _FFT // 2 + 1))
    low, high = mel(np.array([_LOWEST, _RATE / 2]))
    edges = np.linspace(float(low), float(high), mels + 2)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights: NDArray[np.float32] = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    return weights


class Filterbank(nn.Module):
    """Samples to normalised log-mel features.

    forward: audio float32 [1, samples] at 16 kHz in [-1, 1] -> float32 [1, frames, mels], minus `offset`, over
        `divisor`.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, mels: int, offset: float, divisor: float) -> None:
        super().__init__()
        self.register_buffer("basis", torch.from_numpy(_basis()))
        self.register_buffer("filters", torch.from_numpy(_filters(mels)))
        self._offset, self._divisor = offset, divisor

    def forward(self, audio: Tensor) -> Tensor:
        spectrum = nn.functional.conv1d(audio[:, None, :], self.basis, stride=_HOP)
        bins = _FFT // 2 + 1
        power = spectrum[:, :bins] ** 2 + spectrum[:, bins:] ** 2
        mel = torch.clamp(self.filters @ power, min=_LEAST).log()
        return (mel.transpose(1, 2) - self._offset) / self._divisor
