"""Types under a budget of bytes."""

from __future__ import annotations

import itertools

import numpy as np

from edgekit.quantization.allocation import Choice, allocate


def choices(loss: float, size: int) -> list[Choice]:
    return [Choice(f"q{bits}", loss * 4.0**-bits, size * bits) for bits in (4, 5, 6, 8)]


def test_what_costs_most_gets_the_bits() -> None:
    chosen = allocate({"calm": choices(1, 100), "loud": choices(64, 100)}, 1200)
    assert (chosen["calm"].kind, chosen["loud"].kind) == ("q4", "q8")


def test_the_budget_is_kept_and_what_is_too_small_gives_the_least() -> None:
    many = {str(i): choices(float(2**i), 10 + 7 * i) for i in range(6)}
    least = sum(own[0].cost for own in many.values())
    for budget in range(least, 2 * least, 13):
        assert sum(choice.cost for choice in allocate(many, budget).values()) <= budget
    assert {choice.kind for choice in allocate(many, least - 1).values()} == {"q4"}
    assert {choice.kind for choice in allocate(many, 10 * least).values()} == {"q8"}


def test_it_is_as_good_as_the_best_of_all_within_a_step() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        many = {str(i): choices(float(rng.lognormal(0, 2)), int(rng.integers(1, 9))) for i in range(4)}
        budget = int(sum(own[0].cost for own in many.values()) * 1.4)
        mixtures = [mix for mix in itertools.product(*many.values()) if sum(one.cost for one in mix) <= budget]
        best = min(sum(one.loss for one in mix) for mix in mixtures)
        step = max(before.loss - after.loss for own in many.values() for before, after in itertools.pairwise(own))
        assert best <= sum(one.loss for one in allocate(many, budget).values()) <= best + step


def test_a_type_that_gains_nothing_is_not_taken() -> None:
    """Larger and no better; or only a little better than one of its bytes' worth."""
    own = [Choice("a", 1.0, 10), Choice("b", 1.0, 20), Choice("c", 0.9, 30), Choice("d", 0.1, 31)]
    assert allocate({"x": own}, 30)["x"].kind == "a"
    assert allocate({"x": own}, 31)["x"].kind == "d"
