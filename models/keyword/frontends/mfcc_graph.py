"""MFCC as a float graph over a fixed window, for runtimes that hold networks: see
`edgekit.models.keyword.frontends.mfcc`.

The transform is two products with a table (a convolution with the frame's step), since runtimes on phones have no FFT;
only bins that a filter takes are computed. Loudness is treated as there: the window's largest sample moves coefficient
0, and frames of digital silence stay what they are. Features are not rounded; a network's input quantization does that.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.common.lazy import np
from edgekit.models.keyword.frontends.mfcc import dct, hann, mel_filters
from edgekit.models.keyword.shapes import MfccSettings


class MfccGraph(nn.Module):
    """``audio`` float32 [1, samples] in [-1, 1] -> ``window`` float32 [1, frames, coefficients, 1]."""

    turns: torch.Tensor
    filters: torch.Tensor
    dct: torch.Tensor
    first: torch.Tensor

    def __init__(self, settings: MfccSettings) -> None:
        super().__init__()
        self._settings = settings
        filters = mel_filters(settings)
        used = np.flatnonzero(filters.any(axis=1))
        angle = 2 * math.pi / settings.fft * np.outer(used, np.arange(settings.window))
        turns = np.concatenate([np.cos(angle), np.sin(angle)]) * hann(settings)
        first = np.zeros(settings.features)
        first[0] = 1
        self.register_buffer("turns", torch.tensor(turns[:, None], dtype=torch.float32))
        self.register_buffer("filters", torch.tensor(filters[used], dtype=torch.float32))
        self.register_buffer("dct", torch.tensor(dct(settings), dtype=torch.float32))
        self.register_buffer("first", torch.tensor(first, dtype=torch.float32))

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        settings = self._settings
        waves = F.conv1d(audio[:, None], self.turns, stride=settings.step).transpose(1, 2)
        real, imaginary = waves.chunk(2, dim=2)
        mels = torch.log(torch.sqrt(real * real + imaginary * imaginary) @ self.filters + settings.offset)
        features = mels @ self.dct
        # In int8, the lowest step of coefficient 0 is digital silence, and the highest is where it saturates.
        silence, top = ((step - settings.zero_point) * settings.scale for step in (-127.5, 127))
        peak = audio.amax(1, keepdim=True)[:, :, None].clamp(min=1 / 32768)
        zeroth = features[:, :, :1]
        moved = (zeroth - math.sqrt(2 * settings.mels) * torch.log(peak)).clamp(max=top)
        features = features + torch.where(zeroth < silence, torch.zeros_like(zeroth), moved - zeroth) * self.first
        return features[..., None]
