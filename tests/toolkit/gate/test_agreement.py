"""What a verdict of agreement may say: bounds count independent sources, and what is empty is counted apart."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit import registry
from edgekit.bench.statistics.paired import Estimate
from edgekit.bench.statistics.proportion import lower_bound
from edgekit.core import Agreement, Objection
from edgekit.gate.agreement import FEWEST, Count, Grounds, compare, decide


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [a == b for a, b in zip(answers, reference, strict=True)]


PLAIN = Agreement("the same answer", lambda prediction: prediction.output, _same, bar=0.85)


def figures(**values: float) -> Any:
    def found(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
        return values

    return found


def test_views_of_one_photograph_are_one_source() -> None:
    views = ["cat"] * 30
    alone = compare(PLAIN, views, views)
    assert (alone.verdict, alone.sources, alone.same) == ("pass", 30, 30)
    two = compare(PLAIN, views, views, sources=[str(i % 2) for i in range(30)])
    assert (two.verdict, two.sources, two.same, two.of) == ("undecided", 2, 30, 30)
    assert two.low == pytest.approx(0.025 ** (1 / 2)) and "2 sources are too few" in two.reason


def test_a_source_agrees_only_with_all_its_samples() -> None:
    answers = ["cat"] * 40
    answers[0] = "dog"
    found = compare(PLAIN, answers, ["cat"] * 40, sources=[str(i // 2) for i in range(40)])
    assert (found.agreeing, found.sources, found.same) == (19, 20, 39)
    assert found.low == pytest.approx(lower_bound(19, 20))


def test_what_finds_nothing_is_refused_where_most_samples_are_empty() -> None:
    reference = [["box"]] * 4 + [[]] * 26
    found = compare(PLAIN, [[]] * 30, reference)
    assert (found.verdict, found.same, found.of, found.empty_same, found.empty) == ("fail", 0, 4, 26, 26)


def test_what_finds_things_where_nothing_is_is_refused() -> None:
    found = compare(PLAIN, [["box"]] * 60, [["box"]] * 30 + [[]] * 30)
    assert (found.verdict, found.empty_same, found.empty) == ("fail", 0, 30)


def test_both_counts_are_printed() -> None:
    found = compare(PLAIN, [["box"]] * 30 + [[]] * 10, [["box"]] * 30 + [[]] * 10)
    assert found.verdict == "pass" and "30 of 30" in found.reason and "10 others" in found.reason


def test_a_reference_that_finds_nothing_proves_nothing() -> None:
    assert compare(PLAIN, [[]] * 40, [[]] * 40).verdict == "undecided"


@pytest.mark.parametrize("sources", [15, 16, 30, 60, 200])
def test_a_network_ten_points_below_its_bar_hardly_ever_passes(sources: int) -> None:
    """Its chance of a pass, over all counts of agreeing sources."""
    share = PLAIN.bar - 0.1
    chance = sum(
        math.comb(sources, same) * share**same * (1 - share) ** (sources - same)
        for same in range(sources + 1)
        if decide(PLAIN, Count(same, sources, same, sources), Grounds()).verdict == "pass"
    )
    assert chance <= 0.025 + 1e-9


@pytest.mark.parametrize("sources", range(FEWEST))
def test_few_sources_never_pass(sources: int) -> None:
    assert decide(replace(PLAIN, least=0.0), Count(40, 40, sources, sources), Grounds()).verdict == "undecided"


@pytest.mark.parametrize(
    ("change", "grounds", "verdict"),
    [
        ({}, Grounds(), "pass"),
        ({}, Grounds(synthetic=True), "undecided"),
        ({}, Grounds(spent=True, tried=2), "undecided"),
        ({"bars": {"cosine": 0.9}, "figures": figures(cosine=0.95)}, Grounds(), "pass"),
        ({"bars": {"cosine": 0.9}, "figures": figures(cosine=0.8)}, Grounds(), "fail"),
        ({"bars": {"cosine": 0.9}, "figures": figures(cosine=math.nan)}, Grounds(), "fail"),
        ({"bars": {"cosine": 0.9}}, Grounds(), "fail"),
        ({"objection": lambda *_: objection("fail")}, Grounds(), "fail"),
        ({"objection": lambda *_: objection("undecided")}, Grounds(), "undecided"),
        ({}, Grounds(positions=Estimate(0.99, 0.7, 1.0)), "undecided"),
        ({}, Grounds(positions=Estimate(0.99, 0.97, 1.0)), "pass"),
    ],
)
def test_what_speaks_against_a_pass(change: dict[str, Any], grounds: Grounds, verdict: str) -> None:
    found = compare(replace(PLAIN, **change), ["yes"] * 40, ["yes"] * 40, grounds=grounds)
    assert found.verdict == verdict, found.reason
    assert ("chosen among 2" in found.reason) == (grounds.tried == 2)
    assert (found.low is None) == grounds.synthetic


def objection(verdict: Any) -> Objection:
    return verdict, "it is odd"


@pytest.mark.parametrize("name", registry.names("tasks"))
def test_every_task_names_a_floor_that_can_be_missed(name: str) -> None:
    agreement = registry.find("tasks", name).agreement
    if agreement is not None:
        # A floor of its own is of positions, not of samples as the bar is.
        assert 0.3 <= agreement.floor < (1.0 if agreement.least else agreement.bar)


def test_the_page_names_the_floor_of_every_task() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explain" / "gate.md").read_text(encoding="utf-8")
    rows = {}
    for task, bar, floor in re.findall(r"^\| ([a-z-]+) \| (\d+) %[^|]*\| (\d+) %[^|]*\|$", page, re.MULTILINE):
        rows[task] = (int(bar), int(floor))
    compared = {name: registry.find("tasks", name).agreement for name in registry.names("tasks")}
    assert rows == {name: (round(100 * a.bar), round(100 * a.floor)) for name, a in compared.items() if a is not None}
