"""Two classifiers on the same samples: is one better, and by how much? For metrics that are right or wrong per sample.

What decides are the samples on which just one of the two is right; on the others they are alike (McNemar 1947, "Note on
the sampling error of the difference between correlated proportions", Psychometrika 12). `p_value` is his test in its
exact form, `difference` the interval that belongs to it (Tango 1998, "Equivalence test and confidence interval for the
difference in proportions for the paired-sample design", Statistics in Medicine 17): those differences that a score
test does not reject. A bootstrap says [0, 0] where the two never differ, however few the samples; this interval does
not, and its coverage is close to what it promises with few samples too (Fagerland, Lydersen and Laake 2014,
"Recommended tests and confidence intervals for paired binomial proportions", Statistics in Medicine 33).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

from edgekit.bench.statistics.paired import Estimate, Pair
from edgekit.bench.statistics.proportion import CONFIDENCE
from edgekit.errors import BadInput

#: Halvings of an interval of length 1: to the last digit of a float.
_HALVINGS = 60


def only_one_right(candidate: Sequence[Pair], reference: Sequence[Pair]) -> tuple[int, int]:
    """How many samples only the candidate has right, and how many only the reference.

    Raises:
        BadInput: the lengths differ, there are no samples, or a pair is not (0 or 1, 1).
    """
    if len(candidate) != len(reference):
        raise BadInput(
            f"{len(candidate)} candidate samples against {len(reference)} reference samples cannot be paired."
        )
    if not candidate:
        raise BadInput("there are no samples to compare.", hint="Give a --data folder that has some.")
    for right, weight in (*candidate, *reference):
        if weight != 1 or right not in (0, 1):
            raise BadInput(f"a sample counts ({right}, {weight}); McNemar's test takes right or wrong, each once.")
    rows = list(zip(candidate, reference, strict=True))
    gained = sum(new > old for (new, _), (old, _) in rows)
    lost = sum(new < old for (new, _), (old, _) in rows)
    return gained, lost


def p_value(gained: int, lost: int) -> float:
    """McNemar's exact test, both sides: how likely so unequal a split is if either side wins with probability 1/2.

    Args:
        gained, lost: samples that only the candidate, only the reference has right.
    """
    total, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(total, i) for i in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << total))


def difference(
    candidate: Sequence[Pair], reference: Sequence[Pair], names: Sequence[str] = (), *, confidence: float = CONFIDENCE
) -> Estimate:
    """The candidate's share of right answers less the reference's, with Tango's score interval.

    Args:
        candidate, reference: (1 if right else 0, 1) per sample, in the same order.
        names: of the samples; not used, as each counts for itself.

    Raises:
        BadInput: see `only_one_right`.
    """
    gained, lost = only_one_right(candidate, reference)
    count = len(candidate)
    z, gain = NormalDist().inv_cdf(0.5 + confidence / 2), (gained - lost) / count

    def is_rejected(by: float) -> bool:
        return abs(_score(gained, lost, count, by)) > z

    return Estimate(gain, _edge(is_rejected, gain, -1.0), _edge(is_rejected, gain, 1.0))


def _score(gained: int, lost: int, count: int, by: float) -> float:
    """Tango's statistic for a true difference of `by`: standard normal if `by` is true."""
    # The most likely share of samples that only the reference has right, if the difference is `by`.
    linear = (2 * count - gained + lost) * by - gained - lost
    constant = -lost * by * (1 - by)
    share = (math.sqrt(max(linear * linear - 8 * count * constant, 0.0)) - linear) / (4 * count)
    variance = count * (2 * share + by * (1 - by))
    distance = gained - lost - count * by
    if variance <= 0:  # only where the samples leave no doubt at all: a difference of 1 or -1, or none
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _edge(rejected: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where the differences from `inside` to `outside` begin to be rejected; `outside` if they never do."""
    if not rejected(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return inside
