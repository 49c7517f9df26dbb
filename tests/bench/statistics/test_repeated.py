"""Statistics: bounds that hold for any values, and verdicts that hold for values made to order."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bench.machine import host
from edgekit.bench.processes import doubts
from edgekit.bench.statistics import paired, repeated, student
from edgekit.errors import BadInput

finite = st.floats(min_value=0.0, max_value=1e12, allow_nan=False)
values_of = st.lists(finite, min_size=1, max_size=30)
groups_of = st.lists(st.lists(finite, min_size=1, max_size=8), min_size=1, max_size=4)


@given(values_of, st.floats(min_value=0.0, max_value=100.0))
def test_percentile_stays_within_the_values_and_grows_with_q(values: list[float], q: float) -> None:
    assert min(values) <= repeated.percentile(values, q) <= max(values)
    assert repeated.percentile(values, q / 2) <= repeated.percentile(values, q)


@given(values_of)
def test_median_is_the_standard_librarys(values: list[float]) -> None:
    assert repeated.median(values) == pytest.approx(statistics.median(values))


def test_percentile_interpolates_like_definition_7() -> None:
    assert repeated.percentile([4.0, 1.0, 3.0, 2.0], 90.0) == pytest.approx(3.7)
    with pytest.raises(ValueError, match="no values"):
        repeated.percentile([], 50.0)
    with pytest.raises(ValueError, match="between 0 and 100"):
        repeated.percentile([1.0], 101.0)


def test_spread_ignores_one_wild_value() -> None:
    assert repeated.mad([1.0, 2.0, 3.0, 4.0, 1e9]) == 1.0
    assert repeated.spread([5.0, 5.0, 5.0]) == 0.0
    assert repeated.spread([0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0, -3.0, -1.0]) == math.inf


@settings(deadline=None, max_examples=40)
@given(groups_of)
def test_interval_contains_the_median_and_stays_within_the_values(groups: list[list[float]]) -> None:
    found = repeated.interval(groups, resamples=200)
    values = repeated.pool(groups)
    if len(values) < 2:
        assert found is None
        return
    assert found is not None
    assert min(values) <= found[0] <= repeated.middle(groups) <= found[1] <= max(values)


def test_interval_covers_the_truth_when_processes_differ() -> None:
    """What pooling would get wrong: it takes 50 values of 5 processes for 50 independent ones."""
    rng = random.Random(1)
    covered = naive = 0
    for _ in range(100):
        centres = [rng.gauss(100.0, 3.0) for _ in range(5)]
        groups = [[rng.gauss(centre, 0.5) for _ in range(10)] for centre in centres]
        low, high = repeated.interval(groups, resamples=200) or (0.0, 0.0)
        covered += low <= 100.0 <= high
        low, high = repeated.interval([repeated.pool(groups)], resamples=200) or (0.0, 0.0)
        naive += low <= 100.0 <= high
    assert covered >= 85
    assert naive < 75


def test_interval_is_seeded_and_narrows_with_strata() -> None:
    groups = [[10.0 + 0.1 * (i % 3), 20.0, 30.0 + 0.1 * (i % 5)] for i in range(12)]
    mixed = [[value for triple in groups for value in triple]]
    assert repeated.interval(mixed) == repeated.interval(mixed)
    low, high = repeated.interval(mixed, strata=3) or (0.0, 0.0)
    assert (low, high) == (20.0, 20.0)
    assert repeated.interval(mixed) != (20.0, 20.0)


def test_student_quantiles_match_the_tables() -> None:
    for freedom, table in ((1, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042)):
        assert student.quantile(0.95, freedom) == pytest.approx(table, abs=1e-3)


def test_few_processes_widen_the_tails_as_hesterberg_says() -> None:
    assert repeated.expanded_tail(0.95, 5) == pytest.approx(0.0010, abs=1e-4)
    assert repeated.expanded_tail(0.95, 10) == pytest.approx(0.0085, abs=2e-4)
    assert repeated.expanded_tail(0.95, 500) == pytest.approx(0.025)


def test_ratio_interval_tells_a_real_difference_from_none() -> None:
    base = [[1.0, 1.01, 0.99, 1.02], [1.0, 1.02, 0.98, 1.01], [0.99, 1.0, 1.01, 1.0]]
    slower = [[value * 1.5 for value in group] for group in base]
    low, high = repeated.ratio_interval(base, slower) or (0.0, 0.0)
    assert 1.4 < low <= 1.5 <= high < 1.6
    low, high = repeated.ratio_interval(base, base) or (2.0, 2.0)
    assert low <= 1.0 <= high
    assert repeated.ratio_interval([[0.0, 0.0]], [[1.0, 2.0]]) is None
    assert repeated.ratio_interval([[1.0]], [[2.0]]) is None


def test_quiet_values_are_called_stable() -> None:
    rng = random.Random(2)
    assert doubts.unstable([rng.gauss(1.0, 0.01) for _ in range(40)]) == []
    assert doubts.unstable([1.0, 9.0, 1.0]) == []  # too few to judge


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1.0, 1.2, 0.8, 1.3, 0.7, 1.1], "spread"),
        ([1.0 + 0.004 * i for i in range(30)], "drift"),
        ([1.0 + 0.001 * (i % 4) + 0.2 * (i * 7 % 10 < 4) for i in range(40)], "two groups"),
        ([1.0] * 20 + [3.0], "far from the median"),
    ],
)
def test_unstable_names_what_is_wrong(values: list[float], word: str) -> None:
    assert any(word in finding for finding in doubts.unstable(values)), doubts.unstable(values)


def test_paired_bootstrap_sees_a_small_loss_that_unpaired_intervals_hide() -> None:
    rng = random.Random(3)
    reference = [(float(rng.randrange(8)), 10.0) for _ in range(100)]
    candidate = [(errors + (i % 5 == 0), weight) for i, (errors, weight) in enumerate(reference)]
    value, low, high = paired.paired_bootstrap(candidate, reference)
    assert value == pytest.approx(0.02)
    assert 0.0 < low < value < high < 0.04
    assert paired.paired_bootstrap(candidate, reference) == (value, low, high)


def test_paired_bootstrap_of_equals_is_zero_and_uses_the_given_aggregate() -> None:
    pairs = [(1.0, 4.0), (0.0, 3.0), (2.0, 2.0)]
    assert paired.paired_bootstrap(pairs, pairs) == (0.0, 0.0, 0.0)
    worse = [(errors + 1, weight) for errors, weight in pairs]
    doubled = paired.paired_bootstrap(worse, pairs, aggregate=lambda drawn: 2 * paired.ratio(drawn))
    assert doubled.value == pytest.approx(2 * 3.0 / 9.0)


def test_paired_bootstrap_refuses_what_has_no_answer() -> None:
    with pytest.raises(BadInput, match="cannot be paired"):
        paired.paired_bootstrap([(0.0, 1.0)], [])
    with pytest.raises(BadInput, match="no samples"):
        paired.paired_bootstrap([], [])
    with pytest.raises(BadInput, match="no weight"):
        paired.paired_bootstrap([(1.0, 0.0)], [(1.0, 0.0)])
    # Resamples without weight are redrawn, not fatal.
    assert paired.paired_bootstrap([(2.0, 0.0), (2.0, 2.0)], [(1.0, 0.0), (1.0, 2.0)]).value == 1.0


def test_busy_machine_is_noticed_and_a_quiet_one_is_not() -> None:
    assert host.busy_warning(cpu=0.99, threads=1, cores=4, load=0.3, steal=0.0, others=0.05) == []
    assert host.busy_warning(cpu=0.99, threads=1, cores=4) == []
    text = " ".join(host.busy_warning(cpu=0.5, threads=2, cores=2, load=2.0, steal=0.3, others=0.9))
    for sign in ("50%", "0.9 of 2 cores", "load average", "hypervisor"):
        assert sign in text


def test_host_description_names_nobody() -> None:
    found = host.describe()
    assert not {"node", "hostname", "user"} & set(found)
    assert set(host.IDENTITY) <= set(found)
    assert host.differences(found, found) == []
    assert host.differences(found, {**found, "cpu": "another"}) == ["cpu"]
    assert host.differences({"memory": 2**30}, {"memory": 2**30 + 4096}) == []


def test_versions_lists_only_what_is_installed() -> None:
    assert set(host.versions(["rich", "no-such-distribution-at-all"])) == {"rich"}
