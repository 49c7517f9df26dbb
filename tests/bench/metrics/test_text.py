"""Perplexity and KL divergence from scores, and verdicts from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from edgekit.bench.metrics import text
from edgekit.core import Evaluation
from edgekit.errors import BadInput
from edgekit.gate import texts


@dataclass
class Score:
    nll: Any
    squares: Any
    counts: Any
    kld: Any = None
    same_top: Any = None


def score(chunks: int = 10, nll: float = 2.0, kld: float | None = 0.01, spread: float = 0.0) -> Score:
    each = np.full((chunks, 100), nll) + np.linspace(-1, 1, 100)
    far = None
    if kld is not None:
        far = np.repeat(kld + spread * np.linspace(-1, 1, chunks), 100)
    same = None if far is None else np.arange(100 * chunks) % 10 > 0
    return Score(each.sum(axis=1), (each**2).sum(axis=1), np.full(chunks, 100), far, same)


def test_perplexity_and_its_error() -> None:
    value, error = text.perplexity([score(4), score(6)])
    assert value == pytest.approx(math.exp(2))
    deviation = np.tile(2 + np.linspace(-1, 1, 100), 10).std() / math.sqrt(999)
    assert error == pytest.approx(value * deviation)


def test_nothing_scored_is_bad_input() -> None:
    with pytest.raises(BadInput, match="too short"):
        text.perplexity([])
    with pytest.raises(BadInput, match="without a reference"):
        text.distance([score(kld=None)])


def several(count: int = 10, kld: float = 0.01, spread: float = 0.0, **facts: Any) -> list[Score]:
    """Scores of so many documents, whose divergences are spread around `kld`."""
    return [score(kld=kld + far, **facts) for far in spread * np.linspace(-1, 1, count)]


def test_distance_is_of_tokens_and_its_interval_of_documents() -> None:
    found = text.distance(several(kld=0.05, spread=0.04))
    assert found.mean.value == pytest.approx(0.05)
    assert found.mean.low < 0.05 < found.mean.high
    assert found.p99 == pytest.approx(0.09)
    assert found.same_top.value == pytest.approx(0.9) and found.same_top.low < 0.9 < found.same_top.high
    # The same tokens as chunks of a single document tell nothing of another document.
    alone = text.distance([score(kld=0.05, spread=0.04, chunks=100)])
    assert math.isinf(alone.mean.high) and alone.same_top.low == 0.0


@pytest.mark.parametrize(
    ("candidate", "verdict", "why"),
    [
        (several(), "pass", "within the 0.05"),
        (several(kld=0.06), "fail", "more than the 0.05"),
        (several(3, chunks=1), "undecided", "3 chunks"),
        (several(7), "undecided", "7 independent texts"),
        ([score(chunks=100)], "undecided", "1 independent text is"),
        (several(kld=0.045, spread=0.04), "undecided", "more text"),
        (several(nll=7.0), "fail", "no model of this text"),
        (several(nll=float("nan")), "fail", "no model of this text"),
    ],
)
def test_verdicts(candidate: list[Score], verdict: str, why: str) -> None:
    found = texts.judge(Evaluation("perplexity", 100.0, 0.05, 8), candidate, [score(kld=None)], "text")
    assert found.verdict == verdict
    assert why in found.reason
    assert found.samples == sum(len(document.counts) for document in candidate)
    agreed = texts.judge_agreement(Evaluation("perplexity", 100.0, 0.05, 8), candidate)
    assert agreed.verdict == verdict or "no model" in why
    assert agreed.sources == len(candidate)
    assert found.basis == (("bar",) if "no model" in why else ("bar", "loss", "interval"))


@pytest.mark.parametrize(("nll", "missed"), [(3.0, False), (7.0, True), (float("nan"), True)])
def test_a_reference_that_is_no_model_of_the_text_is_told(nll: float, missed: bool) -> None:
    why = texts.reference_misses(Evaluation("perplexity", 100.0, 0.05, 8), [score(kld=None, nll=nll, chunks=1)])
    assert ("a perplexity above 100 is no model of this text" in why) == bool(why) == missed


def test_without_a_reference_only_the_bar_decides() -> None:
    evaluation = Evaluation("perplexity", 100.0, 0.05, 8)
    assert texts.absolute(evaluation, several(), "t").verdict == "above the bar"
    assert texts.absolute(evaluation, several(2, chunks=1), "t").verdict == "undecided"
    assert texts.absolute(evaluation, [score(nll=6.0)], "t").verdict == "below the bar"
    assert texts.absolute(evaluation, several(), "t").basis == ("bar",)


def test_a_text_is_cut_into_its_documents() -> None:
    article = " = Title {} = \n\n = = Section = = \n\n" + "A word or two. " * 700 + "\n"
    wiki = "\n" + "".join(article.format(i) for i in range(5))
    assert [document.count("Title") for document in texts.documents(wiki)] == [1] * 5
    assert "".join(texts.documents(wiki)) == wiki
    assert len(texts.documents("\f".join("word " * 3000 for _ in range(3)))) == 3
    assert len(texts.documents("word " * 9000)) == 1
    short = "\f".join("word " * 1000 for _ in range(5))
    assert [len(document) for document in texts.documents(short)] == [10_000, 15_000]
