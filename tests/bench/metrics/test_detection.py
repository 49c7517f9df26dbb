"""FRR at false alarms per hour against values worked out by hand, its interval, and the gate's verdict on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from helpers.toys.toys import labelled
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bench.metrics import detection, table
from edgekit.core import Evaluation
from edgekit.errors import BadInput
from edgekit.gate.verdicts import judge
from edgekit.numerics.alarms import NOTHING, lowest, poisson_upper


@dataclass
class Track:
    """What a detector says of a sound: the scores of its events, the strongest first."""

    events: Sequence[float]
    seconds: float = 3600

    def strongest(self, count: int) -> Sequence[float]:
        return self.events[:count]


def clips(phrase: Sequence[float], other: Sequence[Sequence[float]], hours: float = 1, per_hour: float = 0.5) -> Any:
    outputs = [*(Track([score]) for score in phrase), *(Track(events, 3600 * hours) for events in other)]
    truths = ["hey"] * len(phrase) + [NOTHING] * len(other)
    return detection.clips(outputs, truths, per_hour=per_hour)


@pytest.mark.parametrize(
    ("events", "allowed", "expected"),
    [
        ([5, 3, 9], 0, 9),
        ([5, 3, 9], 1, 5),
        ([5, 3, 9], 2.9, 3),
        ([5, 3, 9], 3, -math.inf),
        ([], 0, -math.inf),
        ([7, 7, 1], 1, 7),  # two of one score come or go together
    ],
)
def test_the_lowest_threshold(events: list[float], allowed: float, expected: float) -> None:
    assert lowest([(event, 1) for event in events], allowed) == expected


@given(scores=st.lists(st.integers(0, 20), max_size=12), allowed=st.integers(0, 6))
def test_no_lower_threshold_would_do(scores: list[int], allowed: int) -> None:
    limit = lowest([(score, 1) for score in scores], allowed)
    assert sum(score > limit for score in scores) <= allowed
    assert all(sum(score > lower for score in scores) > allowed for lower in range(20) if lower < limit)


@pytest.mark.parametrize(("count", "upper"), [(0, 2.9957), (1, 4.7439), (10, 16.9622)])
def test_poisson_bounds_are_garwoods(count: int, upper: float) -> None:
    assert poisson_upper(count) == pytest.approx(upper, abs=1e-4)


@pytest.mark.parametrize(
    ("phrase", "other", "per_hour", "limit", "rate"),
    [
        ([9, 8, 7, 6], [[5], [4]], 0.5, 4, 0.0),  # two hours: one alarm is allowed, that of score 5
        ([9, 8, 5, 4], [[5], [4]], 0.5, 4, 0.25),  # exactly at the threshold is missed
        ([9, 8, 5, 4], [[5], [4]], 0.25, 5, 0.5),  # none is allowed
        ([9, 8, 5, 4], [[5], [4]], 1, -math.inf, 0.0),
        ([1, 2], [[5, 5, 5], []], 0.5, 5, 1.0),
        ([9, 3], [[8, 7, 2], [1]], 1, 2, 0.0),  # several alarms in one clip count each
        ([9, 3], [[8, 7, 4], [1]], 1, 4, 0.5),
    ],
)
def test_rates_by_hand(
    phrase: list[float], other: list[list[float]], per_hour: float, limit: float, rate: float
) -> None:
    pairs = clips(phrase, other, per_hour=per_hour)
    assert detection.threshold(pairs, per_hour) == limit
    assert detection.frr(pairs, per_hour) == rate


def test_a_clip_with_the_phrase_and_no_event_is_missed_even_where_every_alarm_is_allowed() -> None:
    pairs = detection.clips([Track([]), Track([3]), Track([9])], ["hey", "hey", NOTHING], per_hour=5)
    assert detection.frr(pairs, 5) == 0.5


def test_sound_that_cannot_tell() -> None:
    with pytest.raises(BadInput, match="no sound with the phrase"):
        detection.clips([Track([1])], [NOTHING])
    with pytest.raises(BadInput, match="no sound without the phrase"):
        detection.clips([Track([1])], ["hey"])
    with pytest.raises(BadInput, match="no sound with the phrase"):
        detection.clips([], [])
    for seconds in (0, -1, math.nan, math.inf):
        with pytest.raises(BadInput, match="sound 1 lasts"):
            detection.clips([Track([1]), Track([1], seconds)], ["hey", NOTHING])
    with pytest.raises(BadInput, match="sound 0 has no truth"):
        detection.clips([Track([1])], [None])
    with pytest.raises(BadInput, match="sound 0 has no scores"):
        detection.clips(["hey"], ["hey"])
    with pytest.raises(BadInput, match="same samples"):
        detection.clips([], ["hey"])
    for pairs in ([(1.0, 0.0)], [(1.0, 1.0)]):
        with pytest.raises(BadInput, match="not defined"):
            table.aggregate(table.find("frr@fa"), pairs)
        with pytest.raises(BadInput, match="no rate can be computed"):
            detection.difference(pairs, pairs)
    with pytest.raises(BadInput, match="not the same clips"):
        detection.difference([(1.0, 0.0)], [(1.0, 1.0)])


# ------------------------------------------------------------------------------------------------------------ intervals


def test_models_that_are_alike_differ_by_nothing_within_what_so_few_clips_can_tell() -> None:
    few, many = (clips([9.0] * count, [[1.0]] * 4) for count in (18, 400))
    found = detection.difference(few, few)
    assert found.value == 0 and found.high == -found.low == pytest.approx(0.176, abs=0.002)  # Tango: z^2 / (n + z^2)
    assert detection.difference(many, many).high < 0.01


def test_a_loss_has_its_sign_and_its_interval_holds_it() -> None:
    reference = clips([9.0] * 100, [[1.0]] * 4)
    candidate = clips([9.0] * 90 + [0.5] * 10, [[1.0]] * 4, per_hour=0.1)
    found = detection.difference(candidate, reference, per_hour=0.1, resamples=300)
    assert found.value == pytest.approx(0.1) and 0 < found.low < 0.1 < found.high < 0.2
    assert detection.difference(reference, candidate, per_hour=0.1, resamples=300).value == pytest.approx(-0.1)


def test_thresholds_that_hang_by_one_clip_make_the_interval_wide() -> None:
    """Both miss nothing; but without the one clip in which the candidate's alarms are rare, half would be lost."""
    phrase = [9.0] * 100 + [5.0] * 100
    reference = clips(phrase, [[1.0]] * 4)
    candidate = clips(phrase, [[6.0], [6.0], [1.0], [1.0]])
    assert detection.frr(candidate) == 0  # of two alarms in four hours both are allowed
    found = detection.difference(candidate, reference, resamples=400)
    assert found.value == 0 and found.high == pytest.approx(0.5, abs=0.1) and found.low > -0.05
    assert found == detection.difference(candidate, reference, resamples=400)


# ------------------------------------------------------------------------------------------------------------- the gate

EVALUATION = Evaluation("frr@fa", worst=0.10, drop=0.02, minimum=20)


def verdict(candidate: list[float], reference: list[float], hours: float) -> Any:
    other = [Track([1.0], 3600 * hours / 4)] * 4
    outputs, base = ([*(Track([score]) for score in scores), *other] for scores in (candidate, reference))
    return judge(EVALUATION, outputs, base, labelled(["hey"] * len(candidate) + [NOTHING] * 4), "data")


@pytest.mark.parametrize(
    ("candidate", "reference", "hours", "expected", "why"),
    [
        ([9] * 400, [9] * 400, 4, "pass", "within"),
        ([9] * 400, [9] * 400, 1.9, "undecided", "take 2 hours of sound without the phrase to show; there are 1.90"),
        ([9] * 50, [9] * 50, 4, "undecided", "more data would tell"),
        ([9] * 10, [9] * 10, 4, "undecided", "too few"),
        ([9] * 80 + [0] * 20, [9] * 80 + [0] * 20, 4, "fail", "worse than the bar"),
        ([9] * 92 + [0] * 8, [9] * 100, 4, "fail", "more than the 2.00% allowed"),
        ([9] * 92 + [0] * 8, [9] * 100, 0.1, "fail", "more than the 2.00% allowed"),
    ],
)
def test_verdicts(candidate: list[float], reference: list[float], hours: float, expected: str, why: str) -> None:
    # In four hours two alarms are allowed, in two one; so a score of 0 is no event above a threshold of 1.
    found = verdict(candidate, reference, hours)
    assert (found.verdict, found.metric) == (expected, "frr@fa") and why in found.reason, found.reason


def test_data_without_the_phrase_measures_nothing_and_stops_nothing() -> None:
    found = judge(EVALUATION, [Track([1.0])], [Track([1.0])], labelled([NOTHING]), "data")
    assert found.verdict == "not measured" and "no sound with the phrase" in found.reason
    found = judge(EVALUATION, [Track([1.0])], [Track([1.0])], labelled(["hey"]), "data")
    assert found.verdict == "not measured" and "no sound without the phrase" in found.reason
    with pytest.raises(BadInput, match="right answer"):
        judge(EVALUATION, [Track([1.0])], [Track([1.0])], labelled([None]), "data")
