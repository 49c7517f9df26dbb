"""Intervals for a gate: is the candidate's metric below its bar, and how much was lost against the reference?

Both answers come from resampling the *samples* (utterances, images), not the words in them, because the errors inside
one utterance hang together (Bisani and Ney, "Bootstrap Estimates for Confidence Intervals in ASR Performance
Evaluation", ICASSP 2004). The difference is paired: each resample draws the same samples for both sides, which removes
the part of the variance that comes from some samples being harder than others.

What a bootstrap cannot do: where no sample shows a difference, its interval is [0, 0] however few samples there are.
`widen` mends that, with what so many trials can show at all.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from edgekit.bench.statistics.proportion import CONFIDENCE, largest_unseen, lower_bound
from edgekit.bench.statistics.student import quantile
from edgekit.errors import BadInput

#: One sample's (error, weight), such as (word errors, reference words).
Pair = tuple[float, float]
Aggregate = Callable[[Sequence[Pair]], float]


class Estimate(NamedTuple):
    """A value and the interval around it, in the metric's unit."""

    value: float
    low: float
    high: float


def ratio(pairs: Sequence[Pair]) -> float:
    """Sum of errors over sum of weights.

    Raises:
        ZeroDivisionError: the weights sum to 0, as when every reference text is empty.
    """
    return sum(error for error, _ in pairs) / sum(weight for _, weight in pairs)


def widen(estimate: Estimate, trials: float) -> Estimate:
    """`estimate` of a difference of shares, with ends no nearer than what `trials` trials can hide.

    A bootstrap of few or equal samples is too narrow, and [0, 0] where nothing differs. But a share of up to
    `largest_unseen` shows itself in none of so many trials.
    """
    least = largest_unseen(trials)
    return Estimate(
        estimate.value, min(estimate.low, estimate.value - least), max(estimate.high, estimate.value + least)
    )


def mean_by_source(totals: Sequence[Pair], confidence: float = CONFIDENCE) -> Estimate:
    """Sum of values over sum of weights, with Student's interval over independent sources.

    Positions of one text or sound hang together, so what varies is the source: the ratio estimator of a sample of
    clusters (Cochran 1977, "Sampling Techniques", chapter 9), with as many degrees of freedom as sources less one
    (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference"). Infinite for a single source.

    Args:
        totals: of each source, (sum of its values, its weight).

    Raises:
        ZeroDivisionError: there is no weight.
    """
    value, count = ratio(totals), len(totals)
    if count < 2:
        return Estimate(value, -math.inf, math.inf)
    squares = sum((total - value * weight) ** 2 for total, weight in totals)
    deviation = math.sqrt(count / (count - 1) * squares) / sum(weight for _, weight in totals)
    half = quantile(confidence, count - 1) * deviation
    return Estimate(value, value - half, value + half)


def share_by_source(totals: Sequence[tuple[int, int]], confidence: float = CONFIDENCE) -> Estimate:
    """`mean_by_source` of a share, no wider than 0 to 1 and no narrower than if all positions were independent.

    Args:
        totals: of each source, (positions that count, positions).
    """
    found = mean_by_source(totals, confidence)
    yes, of = (sum(numbers) for numbers in zip(*totals, strict=True))
    low, high = lower_bound(yes, of, confidence), 1 - lower_bound(of - yes, of, confidence)
    return Estimate(found.value, max(0.0, min(found.low, low)), min(1.0, max(found.high, high)))


def paired_bootstrap(
    candidate: Sequence[Pair],
    reference: Sequence[Pair],
    *,
    aggregate: Aggregate = ratio,
    sources: Sequence[str] = (),
    confidence: float = CONFIDENCE,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """aggregate(candidate) - aggregate(reference) over the same samples, with its percentile interval.

    Args:
        candidate, reference: one pair per sample, in the same order.
        aggregate: pairs -> value; `Metric.aggregate` of the metric.
        sources: of each sample, the name of its independent source; whole sources are drawn. Empty: each its own.
        confidence: such as 0.95. resamples: at least 1000 for a 95 % interval. seed: same seed, same answer.

    Raises:
        BadInput: the lengths differ, there are no samples, or they have no weight.
    """
    if len(candidate) != len(reference):
        raise BadInput(
            f"{len(candidate)} candidate samples against {len(reference)} reference samples cannot be paired."
        )
    if not candidate:
        raise BadInput("there are no samples to compute a metric from.", hint="Give a --data folder that has some.")
    if resamples < 1 or not 0.0 < confidence < 1.0:
        raise ValueError("resamples must be at least 1 and confidence between 0 and 1")

    def gain(rows: Iterable[tuple[Pair, Pair]]) -> float:
        new, old = zip(*rows, strict=True)
        return aggregate(new) - aggregate(old)

    both = list(zip(candidate, reference, strict=True))
    try:
        value = gain(both)
    except ZeroDivisionError as exc:
        raise BadInput(
            "the samples have no weight: every reference is empty.", hint="Check the data's truths."
        ) from exc
    rng, groups, drawn = random.Random(seed), _by_source(both, sources), list[float]()
    while len(drawn) < resamples:
        # Draws without weight are drawn again; the whole set has some, so this ends.
        with contextlib.suppress(ZeroDivisionError):
            drawn.append(gain(row for group in rng.choices(groups, k=len(groups)) for row in group))
    drawn.sort()
    tail = (1.0 - confidence) / 2.0
    return Estimate(value, drawn[round(tail * (len(drawn) - 1))], drawn[round((1.0 - tail) * (len(drawn) - 1))])


def _by_source(rows: Sequence[tuple[Pair, Pair]], sources: Sequence[str]) -> list[list[tuple[Pair, Pair]]]:
    """The rows of each source, in the order in which sources appear."""
    grouped: dict[str, list[tuple[Pair, Pair]]] = {}
    for source, row in zip(sources or map(str, range(len(rows))), rows, strict=True):
        grouped.setdefault(source, []).append(row)
    return list(grouped.values())
