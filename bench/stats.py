"""Statistics of repeated measurements, in pure Python so that `edgekit compare` works on a base install.

Values arrive *per process* (a list of lists), because two values of one process share its memory layout, its thread
placement and its page cache, and are more alike than values of two processes. Whoever pools them gets intervals that
are too narrow (Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013).

Nothing here throws a value away: a bad run is reported with a warning, as pyperf does it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

__all__ = ["interval", "mad", "median", "percentile", "pool", "ratio_interval", "spread", "unstable"]

#: MAD times this estimates the standard deviation of normal data (1 / Phi^-1(3/4)).
_MAD_TO_SD = 1.4826

#: A bootstrap draws about this many values in all; more would make `compare` slow and change no verdict.
_DRAWS = 1_000_000

Groups = Sequence[Sequence[float]]


def pool(groups: Groups) -> list[float]:
    """All values of all processes in one list, in order."""
    return [value for group in groups for value in group]


def median(values: Sequence[float]) -> float:
    """The middle value, or the middle of the middle two.

    Raises:
        ValueError: there are no values.
    """
    return percentile(values, 50.0)


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile, `q` from 0 to 100, by linear interpolation between the two nearest order statistics.

    This is definition 7 of Hyndman and Fan (1996), the default of numpy, R and spreadsheets. Below about ``100 / (100 -
    q)`` values it says nothing about the tail, it only repeats the maximum; `edgekit.report` does not print it then.

    Raises:
        ValueError: there are no values, or `q` is outside 0 to 100.
    """
    if not values:
        raise ValueError("a percentile of no values")
    if not 0.0 <= q <= 100.0:
        raise ValueError(f"a percentile lies between 0 and 100, not at {q}")
    return _percentile(sorted(values), q)


def mad(values: Sequence[float]) -> float:
    """Median absolute deviation from the median, in the values' unit. One wild value does not move it."""
    middle = median(values)
    return median([abs(value - middle) for value in values])


def spread(values: Sequence[float]) -> float:
    """Robust relative standard deviation: 1.4826 x MAD / |median|; infinite where only the median is 0."""
    middle, deviation = median(values), mad(values)
    if deviation == 0.0:
        return 0.0
    return _MAD_TO_SD * deviation / abs(middle) if middle else math.inf


def interval(
    groups: Groups, *, strata: int = 1, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """Confidence interval of the median of the pooled values, by a hierarchical bootstrap.

    Processes are drawn with replacement, then values within each drawn process (Davison and Hinkley, "Bootstrap Methods
    and their Application", 1997, section 3.8). A plain percentile interval over three processes is far too narrow, so
    its tails are those of Hesterberg's *expanded* percentile interval ("What Teachers Should Know about the Bootstrap",
    The American Statistician 69(4), 2015), which for few processes comes close to the range of what was drawn.

    Few processes remain few: where processes differ more than the values within one, simulated 95 % intervals hold the
    truth in 81 % of cases for 3 processes, 93 % for 5 and 95 % for 8.

    Args:
        groups: values per process. One process alone is allowed; differences between processes are then not in the
            interval.
        strata: the values of each process cycle through this many inputs (value i belongs to input ``i % strata``), and
            are drawn within their input: inputs are chosen, not random.
        confidence: such as 0.95. resamples: fewer are drawn where there are very many values. seed: same seed, same
            answer.

    Returns:
        (low, high), which always contains the sample median; None for fewer than two values, which have no interval.
    """
    return _bootstrap([groups], [strata], lambda pools: _percentile(pools[0], 50.0), confidence, resamples, seed)


def ratio_interval(
    base: Groups,
    new: Groups,
    *,
    strata: int = 1,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Confidence interval of median(new) / median(base), both sides drawn independently as in `interval`.

    The ratio as effect size follows Kalibera and Jones ("Quantifying Performance Changes with Effect Size Confidence
    Intervals", University of Kent, TR 4-12, 2012).

    Returns:
        (low, high); None where there are fewer than two values on a side, or the median of `base` is (or may be) 0.
    """

    def ratio(pools: list[list[float]]) -> float:
        return _percentile(pools[1], 50.0) / _percentile(pools[0], 50.0)

    try:
        return _bootstrap([base, new], [strata, strata], ratio, confidence, resamples, seed)
    except ZeroDivisionError:
        return None


def unstable(values: Sequence[float]) -> list[str]:
    """What looks wrong with values that ought to be repeats of one thing, in words; empty if nothing does.

    Looks at the spread (above 5 %), at a drift between the first and the second half (rank-sum test, and at least 2 %),
    at values that fall into two groups, and at values far away. Fewer than five values cannot be judged and give
    nothing.
    """
    if len(values) < 5 or median(values) <= 0.0:
        return []
    checks: tuple[Callable[[Sequence[float]], str], ...] = (_wide, _drifting, _bimodal, _outlying)
    return [finding for check in checks if (finding := check(values))]


def _wide(values: Sequence[float]) -> str:
    relative = spread(values)
    return f"values spread by {relative:.0%} around their median" if relative > 0.05 else ""


def _drifting(values: Sequence[float]) -> str:
    half = len(values) // 2
    if half < 5:
        return ""
    early, late = values[:half], values[-half:]
    shift = (median(late) - median(early)) / median(values)
    # Mann-Whitney U in its normal approximation; |z| > 3 is one false alarm in 370 quiet runs.
    wins = sum((b > a) + 0.5 * (b == a) for a in early for b in late)
    z = (wins - half * half / 2) / math.sqrt(half * half * (2 * half + 1) / 12)
    if abs(shift) <= 0.02 or abs(z) <= 3.0:
        return ""
    return f"values drift by {shift:+.0%} from the first half to the second"


def _bimodal(values: Sequence[float]) -> str:
    """The best split in two, by Ashman's D with a bar above what a split normal (2.7) or uniform (3.5) reaches."""
    ordered, count = sorted(values), len(values)
    smallest = max(2, count // 5)
    if count < 20:
        return ""
    cuts = range(smallest, count - smallest + 1)
    cut = max(cuts, key=lambda at: _between(ordered, at))
    (low, low_var), (high, high_var) = _moments(ordered[:cut]), _moments(ordered[cut:])
    apart = high - low
    if apart <= 0.05 * median(values) or apart <= 5.0 * math.sqrt((low_var + high_var) / 2):
        return ""
    return f"values fall into two groups, {cut} of them {apart / high:.0%} below the other {count - cut}"


def _outlying(values: Sequence[float]) -> str:
    middle = median(values)
    bar = 5.0 * _MAD_TO_SD * mad(values) + 0.1 * middle
    far = sum(abs(value - middle) > bar for value in values)
    worst = max(values) / middle
    if far > 0.1 * len(values) or worst > 2.0:
        return f"{far} of {len(values)} values lie far from the median, the largest at {worst:.1f} times"
    return ""


def _between(ordered: Sequence[float], cut: int) -> float:
    """Variance between two groups (Otsu's criterion, up to a constant)."""
    low, high = math.fsum(ordered[:cut]) / cut, math.fsum(ordered[cut:]) / (len(ordered) - cut)
    return cut * (len(ordered) - cut) * (high - low) ** 2


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)


def _percentile(ordered: Sequence[float], q: float) -> float:
    place = (len(ordered) - 1) * q / 100.0
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return min(high, low + (high - low) * (place - below))


def _bootstrap(
    sides: Sequence[Groups],
    strata: Sequence[int],
    statistic: Callable[[list[list[float]]], float],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, float] | None:
    """The expanded percentile interval of `statistic`, which takes one sorted list of values per side."""
    filled = [[group for group in side if group] for side in sides]
    total = sum(len(group) for side in filled for group in side)
    if any(sum(map(len, side)) < 2 for side in filled):
        return None
    layered = [[_strata(group, count) for group in side] for side, count in zip(filled, strata, strict=True)]
    rng = random.Random(seed)
    rounds = max(200, min(resamples, _DRAWS // total))
    drawn = sorted(statistic([_draw(side, rng) for side in layered]) for _ in range(rounds))
    # One process has no process to compare with: the values are then the units that were drawn.
    units = min(len(side) if len(side) > 1 else len(side[0]) for side in filled)
    tail = 100.0 * _expanded_tail(confidence, units)
    value = statistic([sorted(pool(side)) for side in filled])
    # A percentile interval of few, tied or lopsided values can miss the very value it is about.
    return min(value, _percentile(drawn, tail)), max(value, _percentile(drawn, 100.0 - tail))


def _strata(group: Sequence[float], count: int) -> list[Sequence[float]]:
    layers: Iterator[Sequence[float]] = (group[at::count] for at in range(count))
    return [layer for layer in layers if layer]


def _draw(side: Sequence[Sequence[Sequence[float]]], rng: random.Random) -> list[float]:
    drawn: list[float] = []
    for group in rng.choices(side, k=len(side)):
        for layer in group:
            drawn += rng.choices(layer, k=len(layer))
    drawn.sort()
    return drawn


def _expanded_tail(confidence: float, units: int) -> float:
    """The tail to cut so that a percentile interval over `units` draws is about as wide as Student's t makes it."""
    if units < 2:
        return 0.0
    wanted = (1.0 - confidence) / 2.0
    if units > 200:
        return wanted
    return NormalDist().cdf(-math.sqrt(units / (units - 1)) * _student(confidence, units - 1))


def _student(confidence: float, freedom: int) -> float:
    """The t for which a share `confidence` of Student's distribution lies within -t to t; `freedom` is a whole number.

    Bisection over Abramowitz and Stegun 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _student_inside(angle, freedom) < confidence else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _student_inside(angle: float, freedom: int) -> float:
    sine, cosine, odd = math.sin(angle), math.cos(angle), freedom % 2
    if freedom == 1:
        return 2 * angle / math.pi
    term = cosine if odd else 1.0
    total = term
    for step in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
