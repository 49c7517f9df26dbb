"""Statistics of repeated measurements, in pure Python so that `edgekit compare` works on a base install.

Values arrive *per process* (a list of lists), because two values of one process share its memory layout, its thread
placement and its page cache, and are more alike than values of two processes. Whoever pools them gets intervals that
are too narrow (Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013).

Nothing here throws a value away: a bad run is reported with a warning, as pyperf does it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist, fmean

from edgekit.bench.statistics.student import quantile

#: MAD times this estimates the standard deviation of normal data (1 / Phi^-1(3/4)).
MAD_TO_SD = 1.4826

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

    This is definition 7 of Hyndman and Fan (1996), the default of numpy, R and spreadsheets. Below about
    ``100 / (100 - q)`` values it says nothing of the tail, it only repeats the maximum: reports do not print it then.

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
    centre = median(values)
    return median([abs(value - centre) for value in values])


def spread(values: Sequence[float]) -> float:
    """Relative deviation, resistant to outliers: 1.4826 x MAD / |median|; infinite where only the median is 0."""
    centre, deviation = median(values), mad(values)
    if deviation == 0.0:
        return 0.0
    return MAD_TO_SD * deviation / abs(centre) if centre else math.inf


def middle(groups: Groups, strata: int = 1) -> float:
    """The typical value: the median of the processes' medians; of several inputs, the median of the inputs' values.

    A process that was disturbed as a whole moves it no more than any other. For one process and one input it is the
    plain median.

    Args:
        strata: the values of each process cycle through this many inputs (value i belongs to input ``i % strata``).

    Raises:
        ValueError: there are no values.
    """
    return median(_centres([_medians(group, strata) for group in groups if group]))


def interval(
    groups: Groups, *, strata: int = 1, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Confidence interval of `middle`, by a hierarchical bootstrap.

    Processes are drawn with replacement, and for each drawn process a median that its own values could have had
    (Kalibera and Jones 2013, section 6; Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section
    3.8). The second level needs no drawing: the median of a resample of n sorted values lies at the quantile
    Beta((n + 1) / 2, (n + 1) / 2), close to normal(1/2, 1 / (2 sqrt(n + 2))), of which 32 even steps are taken. A plain
    percentile interval over three processes is far too narrow, so its tails are those of Hesterberg's *expanded*
    percentile interval ("What Teachers Should Know about the Bootstrap", The American Statistician 69(4), 2015).

    Few processes remain few: where they differ more than values within a process, an interval of three or four holds
    the truth less often than it says.

    Args:
        groups: values per process. One process alone is allowed; differences between processes are then not in the
            interval.
        strata: as for `middle`. confidence: such as 0.95. resamples: draws of processes. seed: same seed, same answer.

    Returns:
        (low, high), which always contains `middle`; None for fewer than two values, which have no interval.
    """
    filled = [group for group in groups if group]
    if sum(map(len, filled)) < 2:
        return None
    banks = [_bank(group, strata) for group in filled]
    rows = [row for bank in banks for row in bank]
    centres = _draws(rows, len(banks), resamples, random.Random(seed)) if len(banks) > 1 else rows
    drawn = [row[0] if len(row) == 1 else median(row) for row in centres]
    return _expanded_interval(drawn, middle(filled, strata), confidence, _units(filled))


def ratio(base: Groups, new: Groups, *, strata: int = 1, paired: bool = False) -> float | None:
    """How many times `new` is `base`: the ratio of their `middle`; None where it is not defined.

    Of several inputs it is the geometric mean of the inputs' ratios (Fleming and Wallace, "How not to lie with
    statistics", CACM 29(3), 1986), so that a loss on one input shows whichever is in the middle. `paired`: process i of
    both ran one after the other, and the ratio is the median over these pairs: what changed slowly cancels out.
    """
    try:
        if paired:
            pairs = [_logs(_medians(a, strata), _medians(b, strata)) for a, b in _pairs(base, new)]
            return math.exp(fmean(_centres(pairs))) if pairs else None
        before, after = (_centres([_medians(group, strata) for group in side if group]) for side in (base, new))
        return _times(before, after)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def ratio_interval(
    base: Groups,
    new: Groups,
    *,
    strata: int = 1,
    paired: bool = False,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Confidence interval of `ratio`: both sides drawn independently as in `interval`, or pair by pair.

    The ratio as effect size follows Kalibera and Jones ("Quantifying Performance Changes with Effect Size Confidence
    Intervals", University of Kent, TR 4-12, 2012).

    Returns:
        (low, high); None where there are fewer than two values on a side, a median is (or may be) 0, or no float
        is as large as a bound.
    """
    sides = [[group for group in side if group] for side in (base, new)]
    value = ratio(base, new, strata=strata, paired=paired)
    if value is None or any(sum(map(len, side)) < 2 for side in sides):
        return None
    try:
        if paired:
            drawn = _paired_draws(_pairs(base, new), strata, resamples, random.Random(seed))
            units = _units(sides[0]) if len(_pairs(base, new)) == 1 else len(_pairs(base, new))
        else:
            drawn = _free_draws(sides, strata, resamples, random.Random(seed))
            units = min(map(_units, sides))
        low, high = _expanded_interval(drawn, value, confidence, units)
        wider = _WIDER.get(units, 1.0)
        return value * (low / value) ** wider, value * (high / value) ** wider
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def _percentile(ordered: Sequence[float], q: float) -> float:
    place = (len(ordered) - 1) * q / 100.0
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return min(high, low + (high - low) * (place - below))


#: Of two, three or four processes even the range is narrower than Student's t would have it, by these factors (normal
#: noise): without them, three pairs would agree on a direction by chance in one case of four.
_WIDER = {2: 16.0, 3: 2.9, 4: 1.6}

#: Even steps through the standard normal distribution, for `_bank`.
_STEPS = tuple(NormalDist().inv_cdf((step + 0.5) / 32) for step in range(32))


def _medians(group: Sequence[float], strata: int) -> tuple[float, ...]:
    """One process's median of each input; inputs that it did not come to are left out."""
    return tuple(median(group[at::strata]) for at in range(strata) if group[at::strata])


def _centres(rows: Sequence[Sequence[float]]) -> list[float]:
    """Over processes, the median of each input; `rows` holds a value per input for each process."""
    return [median(column) for column in zip(*rows, strict=False)]


def _bank(group: Sequence[float], strata: int) -> list[tuple[float, ...]]:
    """Medians that this process could have had, per input, equally likely rows."""
    columns = []
    for at in range(strata):
        ordered = sorted(group[at::strata])
        count = len(ordered)
        if count:
            spread_of_rank = 50.0 / math.sqrt(count + 2)
            columns.append([_percentile(ordered, min(100.0, max(0.0, 50.0 + z * spread_of_rank))) for z in _STEPS])
    return list(zip(*columns, strict=True))


def _logs(base: Sequence[float], new: Sequence[float]) -> tuple[float, ...]:
    return tuple(math.log(b / a) for a, b in zip(base, new, strict=False))


def _pairs(base: Groups, new: Groups) -> list[tuple[Sequence[float], Sequence[float]]]:
    return [(a, b) for a, b in zip(base, new, strict=False) if a and b]


def _times(base: Sequence[float], new: Sequence[float]) -> float:
    """How many times `new` is `base`, the geometric mean over the inputs. Raises ValueError where a median is 0."""
    if len(base) == len(new) == 1 and base[0] > 0.0 and new[0] > 0.0:
        return new[0] / base[0]  # the same without logarithms, which thousands of draws would feel
    return math.exp(fmean(_logs(base, new)))


def _draws(rows: Sequence[tuple[float, ...]], count: int, resamples: int, rng: random.Random) -> list[Sequence[float]]:
    """For each of `resamples` draws of `count` rows with replacement, the median of each input.

    All draws are taken at once, and one input needs no columns: this is most of what a report's figures cost.
    """
    if max(map(len, rows)) > 1:
        picked = iter(rng.choices(rows, k=count * resamples))
        return [_centres(draw) for draw in zip(*[picked] * count, strict=True)]
    single = iter(rng.choices([row[0] for row in rows], k=count * resamples))
    ordered = map(sorted, zip(*[single] * count, strict=True))
    half = count // 2
    if count % 2:
        return [(draw[half],) for draw in ordered]
    return [((draw[half - 1] + draw[half]) / 2,) for draw in ordered]


def _free_draws(sides: Sequence[Groups], strata: int, resamples: int, rng: random.Random) -> list[float]:
    banks = [[row for group in side for row in _bank(group, strata)] for side in sides]
    bases, news = (_draws(bank, len(side), resamples, rng) for bank, side in zip(banks, sides, strict=True))
    return [_times(base, new) for base, new in zip(bases, news, strict=True)]


def _paired_draws(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], strata: int, resamples: int, rng: random.Random
) -> list[float]:
    rows = []
    for base, new in pairs:
        before, after = _bank(base, strata), _bank(new, strata)
        rng.shuffle(after)  # within a pair, the two sides' noise is independent
        rows += [_logs(a, b) for a, b in zip(before, after, strict=True)]
    return [math.exp(fmean(centres)) for centres in _draws(rows, len(pairs), resamples, rng)]


def _units(side: Groups) -> int:
    """How many independent draws an interval stands on: processes; of one process alone, its values."""
    return len(side) if len(side) > 1 else len(side[0])


def _expanded_interval(drawn: Sequence[float], value: float, confidence: float, units: int) -> tuple[float, float]:
    """The expanded percentile interval. One of few, tied or lopsided values can miss the very value it is about."""
    ordered, tail = sorted(drawn), 100.0 * expanded_tail(confidence, units)
    return min(value, _percentile(ordered, tail)), max(value, _percentile(ordered, 100.0 - tail))


def expanded_tail(confidence: float, units: int) -> float:
    """The tail to cut so that a percentile interval over `units` draws is about as wide as Student's t makes it."""
    if units < 2:
        return 0.0
    wanted = (1.0 - confidence) / 2.0
    if units > 200:
        return wanted
    return NormalDist().cdf(-math.sqrt(units / (units - 1)) * quantile(confidence, units - 1))
