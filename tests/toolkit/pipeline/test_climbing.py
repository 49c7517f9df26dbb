"""The ladder of an accelerator: integers that have too few samples are refused, and floats are tried."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.core import Recipe
from edgekit.errors import BadInput, ParityFailed
from edgekit.pipeline import climbing
from edgekit.pipeline.job import Asked

RECIPES = [Recipe("qnn", "int8"), Recipe("qnn", "fp16")]


def run(stage: Path, *, cpu: str, named: bool, least: float | None = None) -> Any:
    runtime = SimpleNamespace(cpu=cpu, runs="simulated")
    asked = Asked("toy", precision="int8" if named else None, require_placed=least)
    job = SimpleNamespace(recipes=lambda: RECIPES, runtime=runtime, asked=asked)
    return SimpleNamespace(job=job, stage=stage, tell=lambda *_: None, tried=0, off="")


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    def prove(run: Any, reference: Any, recipe: Recipe) -> Any:
        if recipe.precision == "int8":
            raise BadInput("static int8 needs at least 8 different calibration samples; there were 2.")
        passed = SimpleNamespace(verdict="pass")
        return SimpleNamespace(recipe=recipe, agreement=passed, verdict=passed)

    def replace(run: Any, **changed: Any) -> Any:
        return SimpleNamespace(**{**vars(run), **changed})

    monkeypatch.setattr(climbing, "prove", prove)
    monkeypatch.setattr(climbing, "replace", replace)


def test_an_accelerator_goes_on_to_floats(tmp_path: Path) -> None:
    accepted, attempts = climbing.climb(run(tmp_path, cpu="onnxruntime", named=False), SimpleNamespace())
    assert accepted.recipe.precision == "fp16"
    assert [attempt.outcome.partition(":")[0] for attempt in attempts] == ["refused", "taken"]


@pytest.mark.parametrize(("cpu", "named"), [("", False), ("onnxruntime", True)])
def test_who_asked_for_integers_hears_what_is_missing(tmp_path: Path, cpu: str, named: bool) -> None:
    with pytest.raises(BadInput, match="8 different calibration samples"):
        climbing.climb(run(tmp_path, cpu=cpu, named=named), SimpleNamespace())


@pytest.mark.parametrize("least", [None, 0.95])
def test_what_the_last_rung_fails_on_the_accelerator_is_left_to_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: float | None
) -> None:
    def prove(run: Any, reference: Any, recipe: Recipe) -> Any:
        if not run.off:
            raise ParityFailed("the golden input is 6.8% away.")
        passed = SimpleNamespace(verdict="pass")
        return SimpleNamespace(recipe=recipe, agreement=passed, verdict=passed, off=run.off)

    monkeypatch.setattr(climbing, "prove", prove)
    asked = run(tmp_path, cpu="onnxruntime", named=False, least=least)
    if least is not None:
        with pytest.raises(ParityFailed):
            climbing.climb(asked, SimpleNamespace())
        return
    accepted, attempts = climbing.climb(asked, SimpleNamespace())
    assert accepted.recipe.precision == "fp16" and len(attempts) == 2
    assert vars(accepted)["off"] == "the golden input is 6.8% away"
