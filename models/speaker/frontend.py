"""Filterbanks of speaker models as torch modules whose forward is the exported graph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.models.common.mel import mel_filters as slaney_filters
from edgekit.models.speaker.shapes import N_FFT, SAMPLE_RATE, Filterbank

#: Below it a power counts as this, or the logarithm of silence would be infinite. Of all the originals.
_LEAST = 1e-10


def filters(bank: Filterbank) -> NDArray[np.float32]:
    """The triangles of a filterbank.

    Returns:
        float32 [mels, N_FFT // 2 + 1].
    """
    if bank.scale == "slaney":
        return slaney_filters(bank.mels)
    # The mel of HTK (S. Young et al., The HTK Book).
    top = 2595.0 * np.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, bank.mels + 2) / 2595.0) - 1.0)
    bins = np.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    width = np.diff(edges)
    centre = edges[1:-1, None]
    # SpeechBrain's triangles are symmetric: both sides have the width of the left side.
    right = width[:-1] if bank.scale == "speechbrain" else width[1:]
    rising = (bins - centre) / width[:-1, None] + 1.0
    falling = (centre - bins) / right[:, None] + 1.0
    weights: NDArray[np.float32] = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    return weights


def basis(window: str) -> NDArray[np.float32]:
    """A windowed Fourier transform as weights of a convolution: float32 [2 * (N_FFT // 2 + 1), 1, N_FFT]."""
    n = np.arange(N_FFT)
    # Angles by integer arithmetic first: float64 of k*n*2π loses digits.
    turns = (np.arange(N_FFT // 2 + 1)[:, None] * n[None, :]) % N_FFT
    mean = {"hann": 0.5, "hamming": 0.54}[window]
    shape = mean - (1.0 - mean) * np.cos(2.0 * np.pi * n / N_FFT)
    waves = np.concatenate([np.cos(2 * np.pi * turns / N_FFT), -np.sin(2 * np.pi * turns / N_FFT)])
    weights: NDArray[np.float32] = (waves * shape)[:, None, :].astype(np.float32)
    return weights


class Frontend(nn.Module):
    """Samples to features.

    forward: audio float32 [clips, samples] at 16 kHz in [-1, 1] → float32 [clips, mels, frames].
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, bank: Filterbank) -> None:
        super().__init__()
        self.register_buffer("basis", torch.tensor(basis(bank.window)))
        self.register_buffer("filters", torch.tensor(filters(bank)))
        self._bank = bank

    def forward(self, audio: Tensor) -> Tensor:
        bank, bins = self._bank, N_FFT // 2 + 1
        signal = audio[:, None, :]
        if bank.padding != "none":
            signal = F.pad(signal, (N_FFT // 2, N_FFT // 2), mode=bank.padding)
        spectrum = F.conv1d(signal, self.basis, stride=bank.hop)
        mel = self.filters @ (spectrum[:, :bins] ** 2 + spectrum[:, bins:] ** 2)
        if bank.decibels:
            mel = 10.0 * torch.clamp(mel, min=_LEAST).log10()
        if bank.range:
            mel = torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - bank.range)
        return mel - mel.mean(dim=2, keepdim=True) if bank.centred else mel


class LevelledFrontend(nn.Module):
    """Stretches of a clip to features, as loud as if the whole clip had been raised to `level` dB of full scale.

    A clip that is louder stays as it is (Resemblyzer's ``normalize_volume(increase_only=True)``).

    forward: audio float32 [stretches, samples], loudness float32 [1], the root mean square of the whole clip →
        float32 [stretches, frames, mels].
    """

    def __init__(self, bank: Filterbank, level: float) -> None:
        super().__init__()
        self.bank = Frontend(bank)
        self._rms = 10.0 ** (level / 20.0)

    def forward(self, audio: Tensor, loudness: Tensor) -> Tensor:
        gain = torch.clamp(self._rms / loudness, min=1.0)
        # Powers, not samples, are scaled: a hundredth of the work.
        features: Tensor = self.bank(audio).transpose(1, 2) * (gain * gain)
        return features
