"""Student's t distribution, in pure Python, for a whole number of degrees of freedom."""

from __future__ import annotations

import math


def quantile(confidence: float, freedom: int) -> float:
    """The t for which a share `confidence` of Student's distribution lies within -t to t; `freedom` is a whole number.

    Bisection over Abramowitz and Stegun 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _inside(angle, freedom) < confidence else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _inside(angle: float, freedom: int) -> float:
    sine, cosine, odd = math.sin(angle), math.cos(angle), freedom % 2
    if freedom == 1:
        return 2 * angle / math.pi
    term = cosine if odd else 1.0
    total = term
    for step in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
