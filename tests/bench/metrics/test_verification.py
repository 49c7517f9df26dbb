"""Equal error rate and detection cost against values worked out by hand, and an interval over speakers."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from edgekit.bench.metrics import table
from edgekit.bench.metrics.verification import eer, eer_by_speaker, min_dcf, trials
from edgekit.errors import BadInput


def pairs(targets: list[float], others: list[float]) -> list[tuple[float, float]]:
    return [*((score, 1.0) for score in targets), *((score, 0.0) for score in others)]


@pytest.mark.parametrize(
    ("targets", "others", "expected"),
    [
        ([3, 4], [1, 2], 0.0),
        ([1, 2], [3, 4], 1.0),
        ([1, 1], [1, 1], 0.5),  # one threshold only: the line from (0, 1) to (1, 0)
        ([1, 3, 4, 5], [0, 0.5, 0.7, 2], 0.25),
        ([1, 3], [0, 0.5, 2], 1 / 3),  # from no miss to half of them, false alarms stay a third
    ],
)
def test_equal_error_rate(targets: list[float], others: list[float], expected: float) -> None:
    assert eer(pairs(targets, others)) == pytest.approx(expected)


def test_two_normal_distributions() -> None:
    """Means two deviations apart: the rate is that of one deviation, Phi(-1)."""
    rng = np.random.default_rng(0)
    found = eer(pairs(list(rng.normal(2, 1, 20_000)), list(rng.normal(0, 1, 20_000))))
    assert found == pytest.approx(0.5 * math.erfc(1 / math.sqrt(2)), abs=0.005)


def test_detection_cost() -> None:
    assert min_dcf(pairs([3, 4], [1, 2])) == 0.0
    assert min_dcf(pairs([1, 1], [1, 1])) == pytest.approx(1.0)  # refuse everybody
    # Refusing half of the speakers costs 0.5; a false alarm in four would cost 99 / 4.
    assert min_dcf(pairs([1, 3], [0, 0.5, 0.7, 2])) == pytest.approx(0.5)


def test_one_kind_of_trials_has_no_rate() -> None:
    for one in (pairs([1.0], []), pairs([], [1.0])):
        with pytest.raises(BadInput, match="not defined"):
            table.aggregate(table.find("eer"), one)


def test_trials_that_cannot_be_scored() -> None:
    with pytest.raises(BadInput, match="no truth"):
        trials([0.5], [None])
    with pytest.raises(BadInput, match="not a number"):
        trials([float("nan")], [True])
    with pytest.raises(BadInput, match="same samples"):
        trials([0.5], [])


def drawn(speakers: int, rng: np.random.Generator) -> tuple[list[tuple[float, float]], list[str]]:
    clips = [(f"s{s}", i) for s in range(speakers) for i in range(4)]
    voices = rng.normal(size=(speakers, 6))
    heard = {clip: voices[int(clip[0][1:])] + 0.8 * rng.normal(size=6) for clip in clips}
    found, names = [], []
    for a, b in combinations(clips, 2):
        cosine = heard[a] @ heard[b] / np.linalg.norm(heard[a]) / np.linalg.norm(heard[b])
        found.append((float(cosine), float(a[0] == b[0])))
        names.append(f"{a[0]}/{a[1]}|{b[0]}/{b[1]}")
    return found, names


def test_the_same_trials_differ_by_nothing() -> None:
    one, names = drawn(6, np.random.default_rng(0))
    found = eer_by_speaker(one, one, names)
    assert found.value == 0.0
    assert found.low < 0.0 < found.high, "so few trials hide a difference"


def test_the_interval_is_wider_than_one_over_trials() -> None:
    """Trials share clips, so that drawing them one by one pretends to know more than there is to know."""
    from edgekit.bench.statistics.paired import paired_bootstrap

    rng = np.random.default_rng(1)
    one, names = drawn(8, rng)
    other = [(score + 0.15 * rng.normal(), target) for score, target in one]
    honest = eer_by_speaker(other, one, names)
    naive = paired_bootstrap(other, one, aggregate=eer, resamples=300)
    assert honest.low <= honest.value <= honest.high
    assert honest.high - honest.low > 0.9 * (naive.high - naive.low)
    assert honest == eer_by_speaker(other, one, names)


def test_names_must_say_who_speaks() -> None:
    with pytest.raises(BadInput, match="whose voices"):
        eer_by_speaker([(1.0, 1.0), (0.0, 0.0)], [(1.0, 1.0), (0.0, 0.0)], ["0", "1"])
