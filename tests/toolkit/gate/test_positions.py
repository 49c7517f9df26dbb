"""Answers that are sequences, position by position: what is forced, what is the same, and the interval by source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Prediction, Predictor, Sample
from edgekit.gate import positions


class Chain(Predictor):
    """Expects each letter of an answer by a table of odds; `shift` moves the likeliest token of some positions."""

    def __init__(self, shift: float = 0.0, wrong: Sequence[int] = (), short: int = 0) -> None:
        self._shift, self._wrong, self._short = shift, wrong, short

    def predict(self, sample: Any, **options: Any) -> Prediction:
        return Prediction(sample)

    def next_tokens(self, sample: Any, answer: Any) -> NDArray[Any] | None:
        if not isinstance(answer, str):
            return None
        logits = np.random.default_rng(len(answer)).normal(0, 1, (len(answer) + 1 - self._short, 30))
        logits[:, 7] += 8
        for at in self._wrong:
            logits[at, 9] += 20
        logits += self._shift * np.random.default_rng(1).normal(0, 1, logits.shape)
        shifted: NDArray[Any] = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return shifted


SAMPLES = [Sample(f"{'x' * (20 + i)}", source=f"reader {i % 10}") for i in range(20)]
ANSWERS = [sample.input for sample in SAMPLES]


def compared(candidate: Predictor) -> Any:
    kept = [positions.expectations(Chain(), *pair) for pair in zip(SAMPLES, ANSWERS, strict=True)]
    found = [positions.distance(candidate, *row) for row in zip(SAMPLES, ANSWERS, kept, strict=True)]
    return found, *positions.by_source(found, SAMPLES)


def test_the_same_network_differs_at_no_position_and_its_interval_has_a_width() -> None:
    found, shares, far = compared(Chain())
    assert all(one.same == one.of == len(answer) + 1 for one, answer in zip(found, ANSWERS, strict=True))
    assert shares.value == 1.0 and 0.98 < shares.low < 1.0
    assert far.value == pytest.approx(0, abs=1e-4)


def test_positions_are_counted_by_source() -> None:
    _, shares, far = compared(Chain(wrong=(0, 3)))
    total = sum(len(answer) + 1 for answer in ANSWERS)
    assert shares.value == pytest.approx(1 - 40 / total) and shares.low < shares.value
    assert far.value > 0.5
    # Readers that differ from one another tell less than as many positions of one kind.
    rows = [positions.Positions(same, 100, 0.0) for same in (100,) * 19 + (0,)]
    wide, _ = positions.by_source(rows, SAMPLES)
    assert wide.low < 0.9 and wide.value == 0.95


def test_the_divergence_is_a_lower_bound_of_the_whole() -> None:
    _, _, far = compared(Chain(shift=0.5))
    whole = count = 0.0
    for answer in ANSWERS:
        p, q = (chain.next_tokens("", answer) for chain in (Chain(), Chain(shift=0.5)))
        assert p is not None and q is not None
        whole, count = whole + float((np.exp(p) * (p - q)).sum()), count + len(p)
    assert 0 < far.value <= whole / count


def test_another_number_of_positions_agrees_with_none() -> None:
    found, shares, far = compared(Chain(short=2))
    assert {one.same for one in found} == {0} and shares.value == 0.0 and math.isfinite(far.value)


def test_answers_that_are_no_sequences_have_no_positions() -> None:
    assert positions.expectations(Chain(), SAMPLES[0], ["box"]) is None
