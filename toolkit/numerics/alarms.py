"""False alarms of a detector: the threshold for an allowed rate, and an upper bound of the rate.

Models and metrics may import this module: an operating point and the gate's rate use the same threshold.

An event counts where its score is *above* the threshold. On sound without the phrase every event is a false alarm, and
they arrive like a Poisson process; so a count gives, by the exact interval of Garwood (1936, "Fiducial limits for the
Poisson distribution"), an upper bound of their rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

#: The truth of a sound without the phrase; any other is a sound with it.
NOTHING = "nothing"


def lowest(events: Iterable[tuple[float, float]], allowed: float) -> float:
    """The lowest threshold with at most `allowed` events above it.

    Args:
        events: (score, weight of the event). allowed: at least 0.

    Returns:
        The score of an event, which does not count itself; minus infinity if all events are allowed.
    """
    count = 0.0
    for score, times in sorted(events, reverse=True):
        count += times
        if count > allowed:
            return score
    return -math.inf


def poisson_upper(count: int, confidence: float = 0.95) -> float:
    """The largest mean of a Poisson count for which `count` or fewer have a probability of at least 1 - confidence."""

    def at_most(mean: float) -> float:
        return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))

    low, high = 1e-9, 2.0 * count + 20.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) > 1 - confidence else (low, middle)
    return high
