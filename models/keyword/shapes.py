"""Numbers that define keyword spotters: their frontends, and how scores become events. Nothing heavy is imported."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, linear, work

#: Channels of DS-CNN, and its pairs of layers.
DS_CNN = (64, 4)
#: Numbers in the tables of the micro frontend's graph.
_MICRO_TABLES = 13_800
#: Operators between them take the rest of its file: a 16-bit transform, written out.
_MICRO_GRAPH = 84_000


@dataclass(frozen=True)
class MfccSettings:
    """MFCC; the defaults are those of MLPerf Tiny's ds-cnn-kws.

    Attributes:
        rate, window, step, fft: sample rate in Hz; samples in a frame, from a frame to the next, in the transform.
        mels, lower_hz, upper_hz: how many filters, and the band that they cover.
        features: how many coefficients are kept.
        offset: added to each mel before the logarithm.
        scale, zero_point: of the int8 features.
    """

    rate: int = 16_000
    window: int = 480
    step: int = 320
    fft: int = 512
    mels: int = 40
    lower_hz: float = 20.0
    upper_hz: float = 4000.0
    features: int = 10
    offset: float = 1e-6
    scale: float = 0.5847029089927673
    zero_point: int = 83

    @property
    def per_neper(self) -> float:
        """By how many steps coefficient 0 grows when a sound becomes e times as loud."""
        return math.sqrt(2 * self.mels) / self.scale


@dataclass(frozen=True)
class MicroSettings:
    """The micro frontend; the defaults are microWakeWord's.

    Attributes:
        rate, window, step: sample rate in Hz; samples in a frame, and from a frame to the next.
        features, lower_hz, upper_hz: how many filters, and the band that they cover.
        even_smoothing, odd_smoothing: share of the newest frame in the noise estimate of even and odd channels.
        least_signal: the part of a channel that the subtraction of noise never takes away.
        strength, offset, gain_bits: of the amplitude normalisation.
        log_shift: a feature is 2^log_shift times the natural logarithm.
        unit: what one step of a feature is worth as the network was trained on.
        scale, zero_point: of the int8 features.
    """

    rate: int = 16_000
    window: int = 480
    step: int = 160
    features: int = 40
    lower_hz: float = 125.0
    upper_hz: float = 7500.0
    even_smoothing: float = 0.025
    odd_smoothing: float = 0.06
    least_signal: float = 0.05
    strength: float = 0.95
    offset: float = 80.0
    gain_bits: int = 21
    log_shift: int = 6
    unit: float = 10 / 256
    scale: float = 0.10196078568696976
    zero_point: int = -128


@dataclass(frozen=True)
class KeywordRules:
    """From class scores of the last second to events.

    Attributes:
        frames: how many the network sees at once. hop: frames from a look to the next.
        smoothed: looks whose scores are averaged. threshold: a word is heard above this mean, 0..255.
        refractory: looks after an event in which none can follow.
        words: classes 0..words - 1 are words; the rest (silence, unknown) never fire.
    """

    frames: int = 49
    hop: int = 12
    smoothed: int = 2
    threshold: int = 200
    refractory: int = 4
    words: int = 10


@dataclass(frozen=True)
class WakewordRules:
    """From probabilities to events, as microWakeWord does it.

    Attributes:
        stride: feature frames per call of the network.
        smoothed: probabilities whose mean is compared. cutoff: the mean, 0..1, that must be exceeded.
        refractory: calls after an event in which none can follow. (microWakeWord leaves that to its user.)
    """

    cutoff: float
    smoothed: int = 5
    stride: int = 3
    refractory: int = 34

    @property
    def limit(self) -> int:
        """The largest sum of `smoothed` probabilities of 8 bits that does not fire."""
        return max(total for total in range(256 * self.smoothed) if total / (256 * self.smoothed) <= self.cutoff)


def ds_cnn_work(settings: MfccSettings, frames: int, classes: int, looks: int) -> tuple[Work, ...]:
    """Work of a sound on which the network runs so many times."""
    bins = sum(settings.lower_hz < k * settings.rate / settings.fft < settings.upper_hz for k in range(settings.fft))
    bands = (
        Layer(2 * bins * settings.window, 0, frames, 2 * bins * frames),
        Layer(bins * settings.mels, 0, frames, (bins + settings.mels) * frames),
        Layer(settings.mels * settings.features, 0, frames, (settings.mels + settings.features) * frames),
    )
    channels, pairs = DS_CNN
    area = -(-frames // 2) * -(-settings.features // 2)
    layers = [convolution(1, channels, 40, area, before=frames * settings.features)]
    for _ in range(pairs):
        layers += [convolution(channels, channels, 9, area, groups=channels), convolution(channels, channels, 1, area)]
    layers.append(linear(channels, classes))
    return work("frontend", "spectrum", bands, looks, quantized=False), work("network", "convolution", layers, looks)


def micro_work(file: int, parameters: int, samples: int, rules: WakewordRules) -> tuple[Work, ...]:
    """Of a sound of so many samples, heard by a streaming network that comes as a file of so many bytes.

    It keeps what it computed, so that each weight is used about once a call.
    """
    settings = MicroSettings()
    step = settings.step * rules.stride
    calls = (samples - settings.window - (rules.stride - 1) * settings.step) // step + 1
    tables = _MICRO_TABLES + _MICRO_GRAPH // 4
    frontend = Work("frontend", "transform", rules.stride * _MICRO_TABLES, calls, tables=tables, quantized=False)
    # The file as it is: weights, scales and graph.
    return frontend, Work("network", "stream", parameters, calls, weights=file)
