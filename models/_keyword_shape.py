"""Numbers that define keyword spotters: their frontends, and how scores become events. Nothing heavy is imported."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["KeywordRules", "MfccSettings", "MicroSettings", "WakewordRules"]


@dataclass(frozen=True)
class MfccSettings:
    """MFCC; the defaults are those of MLPerf Tiny's ds-cnn-kws.

    Attributes:
        rate, window, step, fft: sample rate in Hz; samples in a frame, from one frame to the next, in the transform.
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
        rate, window, step: sample rate in Hz; samples in a frame, and from one frame to the next.
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
        frames: how many the network sees at once. hop: frames from one look to the next.
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
