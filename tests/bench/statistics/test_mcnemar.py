"""McNemar's test and Tango's interval, against published tables and against each other."""

from __future__ import annotations

import random

import pytest

from edgekit.bench.statistics import mcnemar
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput


def paired(both: int, gained: int, lost: int, neither: int) -> tuple[list[Pair], list[Pair]]:
    """The pairs of a candidate and a reference with such a table of right answers."""
    rows = [(1.0, 1.0)] * both + [(1.0, 0.0)] * gained + [(0.0, 1.0)] * lost + [(0.0, 0.0)] * neither
    return [(ours, 1.0) for ours, _ in rows], [(theirs, 1.0) for _, theirs in rows]


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    [
        # Airway hyper-responsiveness before and after a transplant (Bentur et al. 2009), by Fagerland et al. 2014.
        ((1, 1, 7, 12), -0.286, -0.517, -0.026),
        # Two ways to disinfect contact lenses (Miyanaga 1994), by Tango 1998, table II.
        ((43, 0, 1, 0), -0.023, -0.118, 0.059),
    ],
)
def test_published_intervals(table: tuple[int, int, int, int], value: float, low: float, high: float) -> None:
    assert mcnemar.difference(*paired(*table)) == pytest.approx((value, low, high), abs=6e-4)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (1, 7, 0.0703),  # Bentur et al. 2009, by Fagerland et al. 2014
        (86, 150, 3.716e-5),  # approval of a prime minister (Agresti 1990), by R's exact2x2
        (5, 5, 1.0),
        (0, 0, 1.0),
        (0, 6, 2 / 64),
    ],
)
def test_exact_p_values(gained: int, lost: int, p: float) -> None:
    assert mcnemar.p_value(gained, lost) == pytest.approx(p, rel=1e-3)
    assert mcnemar.p_value(gained, lost) == mcnemar.p_value(lost, gained)


def test_the_interval_is_that_of_the_test_without_continuity_correction() -> None:
    """It holds zero exactly where (gained - lost)^2 / (gained + lost) is below 1.96^2 (McNemar 1947)."""
    for gained in range(12):
        for lost in range(12):
            found = mcnemar.difference(*paired(20, gained, lost, 20))
            squared = (gained - lost) ** 2 / max(gained + lost, 1)
            assert (found.low <= 0 <= found.high) == (squared < 1.959964**2), (gained, lost)


def test_no_difference_seen_is_not_no_difference() -> None:
    found = mcnemar.difference(*paired(350, 0, 0, 50))
    z = 1.959964**2
    assert found == pytest.approx((0.0, -z / (400 + z), z / (400 + z)))


@pytest.mark.parametrize(("table", "low", "high"), [((0, 9, 0, 0), None, 1.0), ((0, 0, 9, 0), -1.0, None)])
def test_everything_gained_or_lost(table: tuple[int, int, int, int], low: float | None, high: float | None) -> None:
    found = mcnemar.difference(*paired(*table))
    assert found.low == low or 0 < found.low < 1
    assert found.high == high or -1 < found.high < 0


def test_coverage() -> None:
    """Of 95 % intervals over 300 samples with a true loss of 2 points, about 95 in 100 hold it."""
    rng, held, trials = random.Random(1), 0, 400
    for _ in range(trials):
        drawn = rng.choices(("both", "gained", "lost", "neither"), (0.80, 0.02, 0.04, 0.14), k=300)
        table = (drawn.count(name) for name in ("both", "gained", "lost", "neither"))
        found = mcnemar.difference(*paired(*table))
        held += found.low <= -0.02 <= found.high
    assert 0.92 <= held / trials <= 0.98


def test_what_cannot_be_paired() -> None:
    ours, theirs = paired(3, 1, 1, 0)
    with pytest.raises(BadInput, match="cannot be paired"):
        mcnemar.difference(ours, theirs[1:])
    with pytest.raises(BadInput, match="no samples"):
        mcnemar.difference([], [])
    with pytest.raises(BadInput, match="right or wrong"):
        mcnemar.difference([(2.0, 5.0)], [(1.0, 5.0)])
