"""Comparing answers with the reference's: what counts as the same, and what must never pass for it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.core import Prediction
from edgekit.errors import BadInput
from edgekit.tasks.common import agreement


def test_the_first_label_of_a_ranking_counts() -> None:
    assert agreement.label(Prediction("cat", score=("cat", "dog"))) == "cat"
    assert agreement.label(Prediction("yes")) == "yes"


def test_the_same_words_may_be_written_differently() -> None:
    answers = ["Ask not, what your country can do.", "colour", "one word more", ""]
    wanted = ["ask not what your country can do", "color", "one word", ""]
    assert agreement.same_words(answers, wanted) == [True, True, False, True]
    assert agreement.words(answers, wanted) == pytest.approx(1 - 1 / 10)


def test_words_where_the_reference_hears_none_are_no_agreement() -> None:
    assert agreement.words(["", ""], ["", ""]) == 1.0
    assert agreement.words(["a word", ""], ["", ""]) == 0.0
    assert agreement.words(["one two three four"], ["one"]) == 0.0, "more words than the reference has"


def test_vectors_agree_by_their_direction() -> None:
    near = agreement.near_vectors(0.99)
    assert near([[2.0, 0.0], [0.0, 1.0], [1.0, 0.2]], [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]) == [True, False, False]
    assert agreement.least_cosine([[1.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("broken", [[math.nan, 1.0], [0.0, 0.0], [math.inf, 1.0], [1.0], [1.0, 0.0, 0.0]])
def test_a_broken_vector_never_agrees(broken: list[float]) -> None:
    assert agreement.near_vectors(-0.5)([broken], [[1.0, 0.0]]) == [False]
    whole = [[1.0, 0.0], [0.5, 1.0], [0.2, -1.0]]
    assert agreement.rank_correlation([broken, *whole[1:]], whole) == 0.0


def test_rank_correlation_is_spearmans(rng: np.random.Generator) -> None:
    stats = pytest.importorskip("scipy.stats")
    wanted, noise = rng.normal(size=(12, 8)), rng.normal(size=(12, 8))
    noise[3] = noise[5] = wanted[3] = wanted[5]  # ties

    def similarities(vectors: np.ndarray) -> np.ndarray:
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.round((units @ units.T)[np.triu_indices(12, 1)], 12)

    answers = wanted + 0.3 * noise
    want = stats.spearmanr(similarities(answers), similarities(wanted)).statistic
    assert agreement.rank_correlation(answers.tolist(), wanted.tolist()) == pytest.approx(want, abs=1e-6)
    assert agreement.rank_correlation(wanted.tolist(), wanted.tolist()) == pytest.approx(1.0)


def test_similarities_without_an_order_are_no_agreement() -> None:
    same = [[1.0, 0.0]] * 4
    assert agreement.rank_correlation(same, [[1.0, 0.0], [0.5, 1.0], [0.2, -1.0], [0.1, 0.3]]) == 0.0
    with pytest.raises(BadInput, match="three"):
        agreement.rank_correlation(same[:2], same[:2])


def test_a_rounded_vector_is_the_same_vector(rng: np.random.Generator) -> None:
    units = rng.normal(size=(16, 192))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    kept = [agreement.vector(Prediction("", {"embedding": unit.tolist()})) for unit in units]
    assert agreement.least_cosine(kept, units.tolist()) > 1 - 1e-5
