"""The interval of a proportion, in pure Python."""

from __future__ import annotations

import math

__all__ = ["lower_bound"]


def lower_bound(same: int, of: int, confidence: float = 0.95) -> float:
    """Exact one-sided lower bound of a proportion (Clopper and Pearson 1934), by bisection; 0 for no trials.

    Args:
        same: successes among `of` trials.
    """
    if not of or not same:
        return 0.0
    low, high = 0.0, same / of
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(same, of, middle) < 1 - confidence else (low, middle)
    return low


def _at_least(same: int, of: int, share: float) -> float:
    """Probability of at least `same` successes, summed in logarithms: factorials of thousands overflow."""
    if not 0 < share < 1:
        return float(share >= 1)
    yes, no, whole = math.log(share), math.log1p(-share), math.lgamma(of + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * yes + (of - k) * no)
        for k in range(same, of + 1)
    )
