"""The micro frontend as a float graph, for runtimes that hold networks: what `edgekit.models.keyword.frontends.micro`
computes.

The original computes in 16-bit integers, and its roundings decide what quiet channels say. So this follows them: window
and Fourier transform are whole numbers in float32, exact (products of 31 bits are added in two halves). From the
energies on, whose sums have 44 bits, float32 rounds too; a feature then differs by one step where it lay on an edge.

A call makes the frames of one call of the network. What it must know of the past, the noise estimate, goes in and out.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.common.lazy import NDArray, np
from edgekit.models.keyword.frontends.micro import tables
from edgekit.models.keyword.shapes import MicroSettings

_HALF = 256  # of the transform: a complex transform of 256 gives a real transform of 512
_SCALE = 2.0**15
Pair = tuple[torch.Tensor, torch.Tensor]


class MicroGraph(nn.Module):
    """``audio`` float32 [1, samples] in [-1, 1], ``noise`` float32 [1, channels] -> ``window`` int8 [1, frames,
    channels], ``noise_after`` float32 [1, channels].

    `samples` are those of `frames` overlapping frames. The noise estimate of a new sound is 0.
    """

    def __init__(self, settings: MicroSettings, frames: int) -> None:
        super().__init__()
        self._settings, self._frames = settings, frames
        table: dict[str, Any] = tables(settings)
        self._ratio_shift, self._log_shift = table["ratio_shift"], table["log_shift"]
        self._least = table["least_signal"] / 2**14
        odd = np.arange(settings.features) % 2 == 1
        self._hold("share", np.where(odd, table["odd_smoothing"], table["even_smoothing"]) / 2**14)
        self._hold("filters", _filters(table, settings.features))
        self._hold_split("hann", table["window"], 64)
        turns = table["twiddles"].astype(np.float64)
        for span in (1, 4, 16, 64):
            for k in (1, 2, 3):
                chosen = turns[np.arange(span) * k * (_HALF // (4 * span))]
                for axis, name in enumerate(("real", "imaginary")):
                    self._hold_split(f"turn_{span}_{k}_{name}", chosen[:, axis], 256)
        for axis, name in enumerate(("real", "imaginary")):
            self._hold_split(f"split_{name}", table["split_twiddles"][:, axis], 256)
        gains = _gains(table["gains"])
        self._hold("gain_first", gains[0])
        self._hold("gain_steps", np.diff(gains, axis=0))
        self._hold("powers", 2.0 ** np.arange(32))

    def forward(self, audio: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        signal = self._channels(self._frame_audio(audio))
        estimates = []
        for t in range(self._frames):
            noise = noise + torch.floor((signal[t : t + 1] * 1024 - noise) * self._read_buffer("share"))
            estimates.append(noise)
        estimate, loud = torch.cat(estimates), signal * 1024
        left = torch.floor((loud - torch.minimum(estimate, loud)) / 1024)
        left = torch.maximum(left, torch.floor(signal * self._least))
        value = (self._normalize_amplitude(left, estimate) * 8).clamp(min=1)
        raw = torch.floor(torch.log(value) * 2.0**self._log_shift + 0.5)
        steps = torch.floor(raw * (self._settings.unit / self._settings.scale) + 0.5) + self._settings.zero_point
        return steps.clamp(-128, 127).to(torch.int8)[None], noise

    def _frame_audio(self, audio: torch.Tensor) -> torch.Tensor:
        """[frames, window], samples as whole numbers."""
        whole = torch.floor(audio * _SCALE + 0.5).clamp(-_SCALE, _SCALE - 1)
        window, step = self._settings.window, self._settings.step
        return torch.cat([whole[:, t * step : t * step + window] for t in range(self._frames)])

    def _channels(self, frames: torch.Tensor) -> torch.Tensor:
        """Square root of each channel's energy, [frames, channels]."""
        windowed = _floor_divide(
            frames * self._read_buffer("hann_high"), frames * self._read_buffer("hann_low"), 64, 2.0**12
        )
        size = torch.where(windowed == -_SCALE, torch.zeros_like(windowed), windowed.abs()).amax(1, keepdim=True)
        # Block scaling: the loudest sample of a frame gets the top bit.
        powers = self._read_buffer("powers")[:16]
        bound = torch.where(size >= powers, 2 * powers, torch.ones_like(powers)).amax(1, keepdim=True)
        factor = _SCALE / bound
        scaled = windowed * factor
        scaled = torch.where(scaled < -_SCALE, torch.zeros_like(scaled), scaled)
        real, imaginary = self._spectrum(F.pad(scaled, (0, 2 * _HALF - self._settings.window)))
        energy = (real * real + imaginary * imaginary) @ self._read_buffer("filters")
        root = torch.floor(torch.sqrt(energy) + 0.5)
        root = torch.where(energy < 2.0**32, root.clamp(max=65535), root)  # an energy of 32 bits has a root of 16
        return torch.floor(root / factor)

    def _spectrum(self, samples: torch.Tensor) -> Pair:
        """[frames, 512] -> real and imaginary parts of bins 1..255, [frames, 255]."""
        order = np.arange(_HALF).reshape((4,) * 4).transpose().reshape(-1)
        values = samples[:, torch.from_numpy(2 * order)], samples[:, torch.from_numpy(2 * order + 1)]
        for span in (1, 4, 16, 64):
            values = self._stage(values, span)
        opposite = torch.from_numpy((_HALF - np.arange(129)) % _HALF)
        low, high = (
            [_divide_by_two(half) for half in side]
            for side in ([value[:, :129] for value in values], [values[0][:, opposite], -values[1][:, opposite]])
        )
        both = low[0] + high[0], low[1] + high[1]
        turned = self._product((low[0][:, 1:] - high[0][:, 1:], low[1][:, 1:] - high[1][:, 1:]), "split")
        both = both[0][:, 1:], both[1][:, 1:]
        back = torch.from_numpy(np.arange(127, -1, -1))
        real = torch.floor((both[0] + turned[0]) / 2)[:, :127], torch.floor((both[0] - turned[0]) / 2)[:, back]
        imaginary = torch.floor((both[1] + turned[1]) / 2)[:, :127], torch.floor((turned[1] - both[1]) / 2)[:, back]
        return torch.cat(real, 1), torch.cat(imaginary, 1)

    def _stage(self, values: Pair, span: int) -> Pair:
        """One radix-4 stage, which divides by four."""
        shape = (values[0].shape[0], _HALF // (4 * span), 4, span)
        real, imaginary = (_divide_by_four(value).reshape(shape) for value in values)
        x0 = real[:, :, 0], imaginary[:, :, 0]
        x1, x2, x3 = (self._product((real[:, :, k], imaginary[:, :, k]), f"turn_{span}_{k}") for k in (1, 2, 3))
        difference, total = _add_complex(x0, x2, -1), _add_complex(x0, x2)
        plus, minus = _add_complex(x1, x3), _add_complex(x1, x3, -1)
        quarter = minus[1], -minus[0]  # times -i
        made = (
            _add_complex(total, plus),
            _add_complex(difference, quarter),
            _add_complex(total, plus, -1),
            _add_complex(difference, quarter, -1),
        )
        out = [torch.stack([pair[axis] for pair in made], 2).reshape(-1, _HALF) for axis in (0, 1)]
        return out[0], out[1]

    def _product(self, a: Pair, name: str) -> Pair:
        """Complex product with constants in 15 fractional bits, rounded."""
        (high, low), (ihigh, ilow) = (
            (self._read_buffer(f"{name}_{part}_high"), self._read_buffer(f"{name}_{part}_low"))
            for part in ("real", "imaginary")
        )
        half = _SCALE / 2
        return (
            _floor_divide(a[0] * high - a[1] * ihigh, a[0] * low - a[1] * ilow + half, 256, _SCALE),
            _floor_divide(a[0] * ihigh + a[1] * high, a[0] * ilow + a[1] * low + half, 256, _SCALE),
        )

    def _normalize_amplitude(self, signal: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Signal over a power of the noise, squeezed: quadratic near zero, then linear."""
        powers = self._read_buffer("powers")
        reached = (noise[..., None] >= powers).to(torch.float32)
        start = (reached * powers).amax(-1).clamp(min=1)
        gains = self._read_buffer("gain_first") + reached @ self._read_buffer("gain_steps")
        part = torch.floor((noise / start - 1).clamp(min=0) * 1024)
        curve = (torch.floor(gains[..., 2] * part / 32) + gains[..., 1] * 32) * part
        gain = torch.floor(curve / _SCALE + 0.5) + gains[..., 0]
        ratio = torch.floor(signal * gain / 2.0**self._ratio_shift)
        return torch.where(ratio < 2 << 12, torch.floor(ratio * ratio / 2.0**20), torch.floor(ratio / 64) - 64)

    def _hold(self, name: str, values: NDArray[Any]) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def _hold_split(self, name: str, values: NDArray[Any], unit: int) -> None:
        """Whole numbers as unit * high + low."""
        high = np.floor(values.astype(np.float64) / unit)
        self._hold(f"{name}_high", high)
        self._hold(f"{name}_low", values - unit * high)

    def _read_buffer(self, name: str) -> torch.Tensor:
        return self.get_buffer(name)


def _floor_divide(high: torch.Tensor, low: torch.Tensor, unit: int, whole: float) -> torch.Tensor:
    """floor((unit * high + low) / whole) of whole numbers whose sum float32 could not hold."""
    quotient = torch.floor(high / (whole / unit))
    return quotient + torch.floor(((high - quotient * (whole / unit)) * unit + low) / whole)


def _divide_by_four(value: torch.Tensor) -> torch.Tensor:
    """floor((8191 * value + 2^14) / 2^15), as KISS FFT divides by four."""
    quotient = torch.floor(value / 4)
    return quotient + torch.floor(((value - 4 * quotient) * 8192 + (_SCALE / 2 - value)) / _SCALE)


def _divide_by_two(value: torch.Tensor) -> torch.Tensor:
    """floor((16383 * value + 2^14) / 2^15), as KISS FFT divides by two."""
    quotient = torch.floor(value / 2)
    return quotient + torch.floor(((value - 2 * quotient) * 16384 + (_SCALE / 2 - value)) / _SCALE)


def _add_complex(a: Pair, b: Pair, sign: int = 1) -> Pair:
    return (a[0] + b[0], a[1] + b[1]) if sign > 0 else (a[0] - b[0], a[1] - b[1])


def _filters(table: dict[str, Any], channels: int) -> NDArray[Any]:
    """Shares of bins 1..255, [bins, channels]: rising to a filter's centre, then falling."""
    out = np.zeros((255, channels + 2))
    stretch = np.repeat(np.arange(channels + 1), table["widths"])
    bins = np.arange(len(stretch)) + table["first_bin"] - 1
    # A stretch between two centres falls for the filter before it and rises for the next; the outermost do one only.
    out[bins, stretch] = table["weights"]
    out[bins, stretch + 1] = table["rest"]
    return out[:, 1 : channels + 1]


def _gains(gains: NDArray[Any]) -> NDArray[Any]:
    """Start and two coefficients of a parabola by the bit length of the noise, [33, 3]."""
    out = np.zeros((33, 3))
    out[:2, 0] = gains[:2]
    for interval in range(2, 33):
        out[interval] = gains[4 * interval - 6 :][:3]
    return out
