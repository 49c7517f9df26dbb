"""Intervals for a gate: is the candidate's metric below its bar, and how much was lost against the reference?

Both answers come from resampling the *samples* (utterances, images), not the words in them, because the errors inside
one utterance hang together (Bisani and Ney, "Bootstrap Estimates for Confidence Intervals in ASR Performance
Evaluation", ICASSP 2004). The difference is paired: each resample draws the same samples for both sides, which removes
the part of the variance that comes from some samples being harder than others.

What a bootstrap cannot do: where no sample shows an error on either side, the interval is [0, 0] however few samples
there are. Small sets are the business of `Evaluation.minimum`, not of this file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgekit.errors import BadInput

__all__ = ["Estimate", "Pair", "absolute_bootstrap", "paired_bootstrap", "ratio"]

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


def absolute_bootstrap(
    pairs: Sequence[Pair],
    *,
    aggregate: Aggregate = ratio,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """The aggregate of one model's pairs, with its percentile interval over resampled samples.

    Raises:
        BadInput: there are no samples, or they have no weight.
    """
    return _estimate([pairs], aggregate, confidence, resamples, seed)


def paired_bootstrap(
    candidate: Sequence[Pair],
    reference: Sequence[Pair],
    *,
    aggregate: Aggregate = ratio,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """aggregate(candidate) - aggregate(reference) over the same samples, with its percentile interval.

    Args:
        candidate, reference: one pair per sample, in the same order.
        aggregate: pairs -> value; `Metric.aggregate` of the metric.
        confidence: such as 0.95. resamples: at least 1000 for a 95 % interval. seed: same seed, same answer.

    Raises:
        BadInput: the lengths differ, there are no samples, or they have no weight.
    """
    if len(candidate) != len(reference):
        raise BadInput(
            f"{len(candidate)} candidate samples against {len(reference)} reference samples cannot be paired."
        )
    return _estimate([candidate, reference], aggregate, confidence, resamples, seed)


def _estimate(
    sides: Sequence[Sequence[Pair]], aggregate: Aggregate, confidence: float, resamples: int, seed: int
) -> Estimate:
    if not sides[0]:
        raise BadInput("there are no samples to compute a metric from.", hint="Give a --data folder that has some.")
    if resamples < 1 or not 0.0 < confidence < 1.0:
        raise ValueError("resamples must be at least 1 and confidence between 0 and 1")

    def statistic(drawn: Sequence[Sequence[Pair]]) -> float:
        first, *rest = (aggregate(side) for side in drawn)
        return first - sum(rest)

    try:
        value = statistic(sides)
    except ZeroDivisionError as exc:
        raise BadInput(
            "the samples have no weight: every reference is empty.", hint="Check the data's truths."
        ) from exc
    drawn = _resample(sides, statistic, resamples, random.Random(seed))
    tail = (1.0 - confidence) / 2.0
    return Estimate(value, drawn[round(tail * (len(drawn) - 1))], drawn[round((1.0 - tail) * (len(drawn) - 1))])


def _resample(
    sides: Sequence[Sequence[Pair]],
    statistic: Callable[[Sequence[Sequence[Pair]]], float],
    resamples: int,
    rng: random.Random,
) -> list[float]:
    """Sorted bootstrap values. Draws without weight are drawn again; the whole set has some, so this ends."""
    rows = list(zip(*sides, strict=True))
    drawn: list[float] = []
    while len(drawn) < resamples:
        try:
            drawn.append(statistic(list(zip(*rng.choices(rows, k=len(rows)), strict=True))))
        except ZeroDivisionError:
            continue
    return sorted(drawn)
