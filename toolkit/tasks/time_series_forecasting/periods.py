"""Which periods a series has, and what it would be if it only repeated itself.

Periods: the normalised periodogram's peaks that noise alone would hardly make, as TinyCast does it (arXiv:2608.15767,
Apache-2.0), written anew. It sorts peaks and looks values up by them, so it stands before the graph.
"""

from __future__ import annotations

import math
from typing import TypedDict

from edgekit.common.lazy import Floats, NDArray, np


class PeriodRule(TypedDict):
    """Which periods count: at most `most`, none shorter than `least` steps. `alpha` is the chance with which noise may
    make a peak; `bins`: see `seasonal_forecast`."""

    most: int
    least: int
    alpha: float
    bins: int


def periods_of(values: Floats, rule: PeriodRule) -> list[int]:
    """The strongest periods, in steps, the strongest first; 0 for each that is missing.

    Args:
        values: float32 [steps], a power of 2 of them, without gaps.
    """
    length, most = len(values), rule["most"]
    centred = values - values.mean(dtype=np.float32)
    power = (np.abs(np.fft.rfft(centred)) ** 2)[1:].astype(np.float32)
    shares = power / max(float(power.sum()), 1e-12)
    inner = (shares[1:-1] > shares[:-2]) & (shares[1:-1] > shares[2:])
    bins = np.arange(1, len(power) - 1)
    longest = max(2, length // 2)
    allowed = (bins >= length // longest - 1) & (bins <= length // max(2, rule["least"]) - 1)
    threshold = math.log(len(power) / rule["alpha"]) / len(power)
    chosen = bins[inner & allowed & (shares[1:-1] >= threshold)]
    best = chosen[np.argsort(-shares[chosen], kind="stable")][:most]
    made = [round(float(np.float32(length) / np.float32(at + 1))) for at in best.tolist()]
    return made + [0] * (most - len(made))


def phases(steps: int, periods: list[int]) -> Floats:
    """Where in each period a step is: float32 [steps, 2 * periods], sine and cosine; zeros for a period of 0."""
    made = np.zeros((steps, 2 * len(periods)), np.float32)
    for k, period in enumerate(periods):
        if period:
            angle = np.float32(2 * math.pi) * np.arange(steps, dtype=np.float32) / np.float32(period)
            made[:, 2 * k], made[:, 2 * k + 1] = np.sin(angle), np.cos(angle)
    return made


def seasonal_forecast(values: Floats, observed: NDArray[np.bool_], period: int, steps: int, bins: int) -> Floats:
    """What comes next if the series repeats itself: for each of `steps` the mean of what was observed in its part of
    the period, float32 [steps]. A part without any has the mean of all.

    Args:
        values, observed: [context]. period: in steps; 0 counts as 1. bins: parts of a period.
    """
    length, whole = len(values), np.float32(max(1, period))
    at = np.arange(length + steps, dtype=np.float32)
    part = np.minimum((at % whole / whole * np.float32(bins)).astype(np.int64), bins - 1)
    weights = observed.astype(np.float32)
    counts = np.bincount(part[:length], weights, bins)
    totals = np.bincount(part[:length], weights * values, bins)
    mean = float((weights * values).sum()) / max(1.0, float(weights.sum()))
    means = np.where(counts > 0, totals / np.maximum(counts, 1.0), mean).astype(np.float32)
    made: Floats = means[part[length:]]
    return made
