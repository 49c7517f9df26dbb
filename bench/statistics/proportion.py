"""The interval of a proportion, in pure Python."""

from __future__ import annotations

import math

#: Of every interval that a verdict rests on, two-sided: each of its ends holds with 97.5 %.
CONFIDENCE = 0.95


def lower_bound(same: int, of: int, confidence: float = CONFIDENCE) -> float:
    """Lower end of the exact interval of a proportion (Clopper and Pearson 1934), by bisection; 0 for no trials.

    Args:
        same: successes among `of` independent trials. confidence: of the two-sided interval.
    """
    if not of or not same:
        return 0.0
    low, high = 0.0, same / of
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(same, of, middle) < (1 - confidence) / 2 else (low, middle)
    return low


def largest_unseen(trials: float, confidence: float = CONFIDENCE) -> float:
    """The largest share that may well show itself in none of so many trials: the exact interval's other end for 0.

    Args:
        trials: independent trials, at least 1. confidence: of the two-sided interval.
    """
    return 1.0 - math.pow((1 - confidence) / 2, 1 / max(1.0, trials))


def _at_least(same: int, of: int, share: float) -> float:
    """Probability of at least `same` successes, summed in logarithms: factorials of thousands overflow."""
    if not 0 < share < 1:
        return float(share >= 1)
    yes, no, whole = math.log(share), math.log1p(-share), math.lgamma(of + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * yes + (of - k) * no)
        for k in range(same, of + 1)
    )
