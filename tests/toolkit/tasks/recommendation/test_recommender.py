"""Recommendations: the loop is its formula, what was liked is never recommended, bad ids are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.bench import metrics
from edgekit.core import Feeds, Prediction, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.recommendation import Recommender, liked_of, samples

ITEMS, WIDTH = 40, 6
RNG = np.random.default_rng(3)
TOWER, VECTORS = (RNG.standard_normal((ITEMS, WIDTH)).astype(np.float32) for _ in range(2))


class Tower(Runner):
    inputs = (TensorSpec("history", "float32", (1, ITEMS)),)
    outputs = (TensorSpec("vector", "float32", (1, WIDTH)),)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"vector": feeds["history"] @ TOWER}


@pytest.fixture
def facts(tmp_path: Path) -> Mapping[str, Any]:
    np.save(tmp_path / "items.npy", VECTORS.astype(np.float16))
    rows = [f"{i}\tFilm {i}\t19{50 + i}\tDrama" for i in range(1, ITEMS + 1)]
    (tmp_path / "titles").write_text("\n".join(["id\ttitle\tyear\tkind", *rows, "odd\trow"]), "utf-8")
    return {"first": 1, "vectors": "items.npy", "titles": "titles"}


def test_the_best_items_are_those_of_the_formula(tmp_path: Path, facts: Mapping[str, Any]) -> None:
    answer = Recommender({"network": Tower()}, tmp_path, facts).predict("3, 5\n8;3", top=4)
    history = np.zeros(ITEMS, np.float32)
    history[[2, 4, 7]] = 3**-0.5
    scores = VECTORS.astype(np.float16).astype(np.float32) @ (history @ TOWER)
    scores[[2, 4, 7]] = -np.inf
    best = [int(i) + 1 for i in np.argsort(-scores)[:10]]
    assert answer.score["items"] == best
    assert [entry["id"] for entry in answer.details["items"]] == best[:4]
    assert answer.output == f"Film {best[0]} (19{50 + best[0]})" and len(answer.details["lines"]) == 4
    assert answer.details["liked"] == ["Film 3 (1953)", "Film 5 (1955)", "Film 8 (1958)"]


def test_whoever_liked_all_but_a_few_gets_these(tmp_path: Path, facts: Mapping[str, Any]) -> None:
    answer = Recommender({"network": Tower()}, tmp_path, facts).predict(list(range(1, ITEMS - 1)))
    assert sorted(answer.score["items"]) == [ITEMS - 1, ITEMS]


def test_unknown_ids_are_noted_or_refused(tmp_path: Path, facts: Mapping[str, Any]) -> None:
    recommender = Recommender({"network": Tower()}, tmp_path, {**facts, "titles": ""})
    some = recommender.predict("3,999")
    assert some.details["notes"] == ["1 of 2 liked items are not known"] and some.output.isdigit()
    with pytest.raises(BadInput, match="ids are 1 to 40"):
        recommender.predict("0, 41")
    for options in ({"bottom": 1}, {"top": 0}, {"top": True}, {"top": "all"}):
        with pytest.raises(BadInput):
            recommender.predict("3", **options)


@pytest.mark.parametrize("sample", ["", " , ", [], [1.5], [True], [-1], "Star Wars", 7, None, {"items": [1]}])
def test_what_is_no_list_of_ids_is_refused(sample: Any) -> None:
    with pytest.raises(BadInput):
        liked_of(sample)


def test_ids_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "liked.txt"
    file.write_text("50, 172\n181", "utf-8")
    assert liked_of(file) == liked_of(str(file)) == [50, 172, 181]
    file.write_text("50; Alien", "utf-8")
    with pytest.raises(BadInput, match="something else than ids"):
        liked_of(file)


@pytest.mark.parametrize("table", [np.zeros((ITEMS - 1, WIDTH), np.float32), np.zeros((ITEMS, WIDTH)), np.zeros(ITEMS)])
def test_a_table_of_other_items_is_refused(table: NDArray[Any], tmp_path: Path, facts: Mapping[str, Any]) -> None:
    np.save(tmp_path / "items.npy", table)
    with pytest.raises(BadInput, match="not a vector for each of 40 items"):
        Recommender({"network": Tower()}, tmp_path, facts)
    (tmp_path / "items.npy").write_bytes(b"damaged")
    with pytest.raises(BadInput, match="no table of vectors"):
        Recommender({"network": Tower()}, tmp_path, facts)


def test_a_data_folder(tmp_path: Path) -> None:
    table = tmp_path / "histories.jsonl"
    table.write_text(json.dumps({"items": [50, 181], "later": [172]}) + "\n\n", "utf-8")
    (sample,) = samples(tmp_path)
    assert (sample.input, sample.truth) == ([50, 181], [172])
    for line in ('{"items": [50]}', '{"items": [], "later": [1]}', "[]", "nothing"):
        table.write_text(line, "utf-8")
        with pytest.raises(BadInput, match="line 1: expected"):
            samples(tmp_path)
    table.write_text("\n", "utf-8")
    with pytest.raises(BadInput, match="holds no line"):
        samples(tmp_path)


def test_recall() -> None:
    metric = metrics.find("recall@10")
    outputs = [{"items": list(range(1, 13))}, {"items": [7, 8, 9]}]
    pairs = metrics.score(metric, outputs, [[1, 12, 30], list(range(8, 28))])
    assert pairs == [(1.0, 3.0), (2.0, 10.0)]  # the twelfth item does not count; of twenty choices ten do
    assert metrics.aggregate(metric, pairs) == pytest.approx(3 / 13)
    with pytest.raises(BadInput, match="no later choice"):
        metrics.score(metric, outputs, [[1], []])
    with pytest.raises(BadInput, match="same samples"):
        metrics.score(metric, outputs, [[1]])


def test_agreement_counts_items_in_any_order() -> None:
    agreement = find("tasks", "recommendation").agreement
    assert agreement is not None and agreement.figures is not None
    wanted = list(range(10))
    answers = [wanted[::-1], [*wanted[:9], 99], [*wanted[:8], 98, 99]]
    assert agreement.same(answers, [wanted] * 3) == [True, True, False]
    figures = agreement.figures(answers, [wanted] * 3)
    assert figures["mean share of the same items"] == pytest.approx(0.9)
    assert figures["the same first item"] == pytest.approx(2 / 3)
    assert agreement.answer(Prediction("x", score={"items": list(range(12))})) == wanted
