"""MFCC as MLPerf Tiny's keyword spotting computes them: 16 kHz sound to 10 int8 coefficients every 20 ms.

The definition is TensorFlow's ``tf.signal`` path of that benchmark: periodic Hann window, magnitude (not power) of the
spectrum, HTK's mel filters, natural logarithm of (mel + 1e-6), orthonormal DCT-II without its first coefficient's
factor. Here in double precision: this is what the C code for the chip is compared with.

Loudness. The benchmark divides each clip by its largest sample. A stream has no such sample yet when a frame is made,
so `Mfcc` takes full scale as 1, and the division happens afterwards, in the logarithm: it adds the same number to every
mel and so moves coefficient 0 of all frames by the same amount, and no other coefficient (but for the 1e-6, far below
any sound). `level_shift` gives that number in steps of the int8 feature, from the largest sample of the second that is
looked at. On 805 windows of LibriSpeech (test-other) 2.4 % of the features differ from a division beforehand, all by
one step, and ds-cnn-kws decides alike on 99.1 %. Without any division it is 88.4 %, and of synthetic words 26 dB below
full scale it understands 44 % instead of 68 %.

Rounding. Features are rounded to the nearest step, which is what a network's input quantization means. The benchmark's
own feature files were truncated, half a step lower (their silent frames hold 82 beside 83, the zero point).
"""

from __future__ import annotations

import math
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.models.keyword.shapes import MfccSettings

_WEIGHT_BITS = 15  # of window and filters in the tables


class Mfcc(Runner):
    """A runner: ``audio`` int16 [samples] -> ``features`` int8 [frames, coefficients]. Full scale is 32768."""

    inputs = (TensorSpec("audio", "int16", ("samples",)),)

    def __init__(self, settings: MfccSettings | None = None) -> None:
        self.settings = settings or MfccSettings()
        self.outputs = (TensorSpec("features", "int8", ("frames", self.settings.features)),)
        self._window = hann(self.settings)
        self._filters = mel_filters(self.settings)
        self._dct = dct(self.settings)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"features": self.quantize_features(self.coefficients(feeds["audio"].astype(np.float64) / 32768))}

    def coefficients(self, audio: NDArray[np.float64]) -> NDArray[np.float64]:
        """[samples] in [-1, 1] -> [frames, coefficients], not quantized."""
        settings = self.settings
        if len(audio) < settings.window:
            return np.zeros((0, settings.features))
        frames = np.lib.stride_tricks.sliding_window_view(audio, settings.window)[:: settings.step]
        spectrum = np.abs(np.fft.rfft(frames * self._window, settings.fft))
        mfcc: NDArray[np.float64] = np.log(spectrum @ self._filters + settings.offset) @ self._dct
        return mfcc

    def quantize_features(self, values: NDArray[np.float64]) -> NDArray[np.int8]:
        steps = np.round(values / self.settings.scale + self.settings.zero_point)
        return np.clip(steps, -128, 127).astype(np.int8)


def level_shift(peak: int, settings: MfccSettings) -> int:
    """Steps to add to coefficient 0 so that a sound whose largest sample is `peak` (int16) counts as full scale."""
    return round(settings.per_neper * math.log(32768 / max(1, peak)))


def normalize_level(features: NDArray[np.int8], peak: int, settings: MfccSettings) -> NDArray[np.int8]:
    """Features of one second of sound, [frames, coefficients], as if the sound had been divided by its largest sample.

    Frames of digital silence (coefficient 0 at its lowest) stay what they are.
    """
    out = features.copy()
    first = features[:, 0].astype(np.int16)
    out[:, 0] = np.where(first == -128, first, np.minimum(first + level_shift(peak, settings), 127))
    return out


def hann(settings: MfccSettings) -> NDArray[np.float64]:
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * math.pi / settings.window * np.arange(settings.window))
    return window


def _mel(hertz: Any) -> NDArray[np.float64]:
    mel: NDArray[np.float64] = 1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0)
    return mel


def mel_filters(settings: MfccSettings) -> NDArray[np.float64]:
    """Triangles on HTK's mel scale, [bins, mels]; the constant component belongs to none."""

    edges = np.linspace(_mel(settings.lower_hz), _mel(settings.upper_hz), settings.mels + 2)
    bins = _mel(np.linspace(0, settings.rate / 2, settings.fft // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0
    return filters


def dct(settings: MfccSettings) -> NDArray[np.float64]:
    """[mels, coefficients]: DCT-II times sqrt(2 / mels), the first coefficient included."""
    angle = math.pi / settings.mels * np.outer(np.arange(settings.mels) + 0.5, np.arange(settings.features))
    table: NDArray[np.float64] = np.cos(angle) * math.sqrt(2 / settings.mels)
    return table


def tables(settings: MfccSettings) -> dict[str, int | NDArray[Any]]:
    """Everything that the C code needs, in integers.

    Returns:
        ``window`` [window / 2 + 1]: its first half, in 15 bits; the other mirrors it.
        ``twiddles`` [3 fft / 4, 2]: powers of e^(-2 pi i / fft), in 31 bits.
        ``first_bin`` of the spectrum; ``widths`` [mels + 1]: bins from one filter edge to the next.
        ``rising`` [bins]: the share of a bin that goes to the filter which rises there; the rest to the filter which
        falls; in 15 bits.
        ``roots`` [97]: square roots of n / 128 for n = 32..128, in 15 bits. ``logs`` [65]: log2(1 + x) - x, in 16 bits.
        ``offset`` in 36 bits. ``dct`` [features, mels / 2]: to steps of the int8 feature per log2, in 16 bits; the
        other half mirrors it. ``zero_point``.
    """
    angle = -2 * math.pi / settings.fft * np.arange(3 * settings.fft // 4)
    circle = np.minimum(np.round(2.0**31 * np.stack([np.cos(angle), np.sin(angle)], axis=1)), 2**31 - 1)
    unit = np.linspace(0, 1, 65)
    steps = dct(settings).T * math.log(2) / settings.scale
    return {
        "window": np.round(hann(settings)[: settings.window // 2 + 1] * 2**_WEIGHT_BITS).astype(np.uint16),
        "twiddles": circle.astype(np.int32),
        **_slopes(settings),
        "roots": np.round(np.sqrt(np.arange(32, 129) / 128) * 2**15).astype(np.uint16),
        "logs": np.round((np.log2(1 + unit) - unit) * 2**16).astype(np.uint16),
        "offset": round(settings.offset * 2**36),
        "dct": np.round(steps[:, : settings.mels // 2] * 2**16).astype(np.int16),
        "zero_point": settings.zero_point,
    }


def _slopes(settings: MfccSettings) -> dict[str, int | NDArray[Any]]:
    """The filters as a slope per bin: between two edges a filter rises by what its neighbour falls."""
    edges = np.linspace(_mel(settings.lower_hz), _mel(settings.upper_hz), settings.mels + 2)
    bins = _mel(np.linspace(0, settings.rate / 2, settings.fft // 2 + 1))
    used = np.flatnonzero((bins > edges[0]) & (bins < edges[-1]) & (bins > 0))
    stretch = np.searchsorted(edges, bins[used], side="right") - 1
    rising = (bins[used] - edges[stretch]) / (edges[stretch + 1] - edges[stretch])
    return {
        "first_bin": int(used[0]),
        "widths": np.bincount(stretch, minlength=settings.mels + 1).astype(np.uint8),
        "rising": np.round(rising * 2**_WEIGHT_BITS).astype(np.uint16),
    }


def levels(settings: MfccSettings) -> NDArray[np.uint16]:
    """Entry k is the smallest peak whose `level_shift` is at most k: how the C code finds the shift."""
    shifts = np.array([level_shift(peak, settings) for peak in range(1, 32768)])
    return np.array([1 + np.argmax(shifts <= k) for k in range(shifts[0])], np.uint16)
