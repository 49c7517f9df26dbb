"""The search for the smallest recipe: on the toy, whose exporter writes fp32, int8 and int4."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.cli.command import run
from edgekit.core import Checkpoint, Recipe
from edgekit.errors import BadInput, GateFailed, OverBudget
from edgekit.exporters.gguf import LADDER
from edgekit.gate import frontier
from edgekit.gate.frontier import Loss, Point
from edgekit.pipeline import writing
from edgekit.pipeline.job import Asked, Run
from edgekit.pipeline.resolving import job_of
from edgekit.pipeline.search import limits
from edgekit.pipeline.search.pruning import Search
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of

INT8 = recipe_of("onnxruntime", "int8")


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **how: monkeypatch.setenv("TOY_SPOIL", json.dumps(how))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precisions of all exports that the toy exporter made."""
    seen: list[str] = []
    export = toy_model.ToyExporter.export

    def counted(self: Any, model: Any, checkpoint: Any, recipe: Recipe, *rest: Any) -> Any:
        seen.append(recipe.precision)
        return export(self, model, checkpoint, recipe, *rest)

    monkeypatch.setattr(toy_model.ToyExporter, "export", counted)
    return seen


def points(bundle: Path) -> dict[str, Point]:
    saved = frontier.load(bundle)
    assert saved is not None
    return {point.recipe: point for point in saved[1]}


def test_the_smallest_that_passes_is_taken(toy: Any, tmp_path: Path, spoil: Any, tried: list[str]) -> None:
    spoil(int4="noise")
    made = toy.export(tmp_path / "b", precision="auto", data=toy.data)
    assert made.manifest.recipe.precision == "int8"
    found = points(made.path)
    assert found["int4"].verdict == "fail" and "away from the fp32 reference" in found["int4"].reason
    assert found["int8"].verdict == "pass" and found["int8"].loss is not None
    assert found["int8"].loss.value == 0 and found["int8"].loss.unit == "points of wer"
    assert found["int8"].seconds is not None and found["int8"].seconds > 0
    shipped = sum(path.stat().st_size for path in made.path.rglob("*.toy"))
    assert shipped < (found["int8"].size or 0) < shipped + 4000
    assert found["fp32"].verdict == "not tried" and "a smaller recipe passes" in found["fp32"].reason
    assert "fp32" not in tried
    assert "<svg" in (made.path / "frontier.svg").read_text()
    assert not list(tmp_path.glob("*.search.json"))
    edgekit.verify(made.path)


def test_the_same_search_again_is_instant(toy: Any, tmp_path: Path, tried: list[str]) -> None:
    toy.export(tmp_path / "b", precision="auto", data=toy.data)
    count = len(tried)
    assert toy.export(tmp_path / "b", precision="auto", data=toy.data).reused
    assert len(tried) == count


def test_what_was_measured_is_kept_when_nothing_meets_the_limits(
    toy: Any, tmp_path: Path, tried: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b"
    assert run(toy.arguments(out, f"--data={toy.data}", "--max-latency=0.0001ms", "--json")) == 6
    error = json.loads(capsys.readouterr().out)
    assert error["error"] == "OverBudget" and "The nearest is " in error["message"]
    count = len(tried)
    assert count == 3
    assert run(toy.arguments(out, f"--data={toy.data}", "--max-latency=9s", "--max-size=60kB", "--json")) == 0
    assert len(tried) == count + 1  # only the chosen recipe is made again
    shown = json.loads(capsys.readouterr().out)
    assert shown["recipe"]["precision"] in ("int8", "int4") and shown["size"] > 0
    assert {point["recipe"] for point in shown["frontier"]} == {"int8", "int4", "fp32"}


def test_a_loss_that_is_too_great(toy: Any, tmp_path: Path, spoil: Any) -> None:
    """Skewed artefacts lose more than the gate allows, so the large one is left."""
    spoil(int8="skew", int4="skew")
    made = toy.export(tmp_path / "b", precision="auto", data=toy.close)
    assert made.manifest.recipe.precision == "fp32"
    assert "wer" in points(made.path)["int8"].reason


@pytest.fixture
def hurrying(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The toy exporter has two faster recipes; what is measured is settled here. The names of all trials."""
    faster = [Recipe("toy", "int8", {"hurry": step}) for step in (1, 2)]
    monkeypatch.setattr(toy_model.ToyExporter, "faster_recipes", lambda *_: faster, raising=False)
    seconds = {"int4": 3.0, "int8": 3.0, "fp32": 4.0, "int8 (hurry 1)": 2.0, "int8 (hurry 2)": 1.0}
    seen: list[str] = []

    def measured(run: Any, reference: Any, name: str, recipe: Recipe) -> Point:
        seen.append(name)
        return Point(name, "pass", "", 50_000, seconds=seconds[name])

    monkeypatch.setattr("edgekit.pipeline.search.smallest.measure_recipe", measured)
    return seen


@pytest.mark.parametrize(
    ("most", "chosen", "trials"),
    [(3.5, {}, 3), (2.5, {"hurry": 1}, 4), (1.5, {"hurry": 2}, 5)],
)
def test_what_is_too_slow_is_hurried(
    toy: Any, tmp_path: Path, hurrying: list[str], most: float, chosen: dict[str, int], trials: int
) -> None:
    """Recipes that lose more are tried where nothing is fast enough, and no more of them than needed."""
    made = toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(latency=most))
    assert dict(made.manifest.recipe.options) == chosen
    assert len(hurrying) <= trials and ("int8 (hurry 2)" in hurrying) is (trials == 5)
    if trials == 4:
        assert points(made.path)["int8 (hurry 2)"].reason == "a recipe that loses less is fast enough"


@pytest.mark.parametrize(("seconds", "untried"), [(1.3, True), (1.1, False)])
def test_what_computes_the_same_as_what_is_too_slow_is_not_tried(seconds: float, untried: bool, tmp_path: Path) -> None:
    """Fewer bits make a smaller file, and no faster network."""
    wish = limits.Limits(latency=1.0)
    job = job_of(Asked("whisper-base", runtime="onnxruntime", limits=wish))
    stage = Run(job, Checkpoint(tmp_path, "", {}, {}, {}), None, "", tmp_path, tmp_path, tmp_path, lambda *_: None)
    search = Search(stage, wish, job.recipes_to_try(None))
    first, second = [name for name, recipe in search.recipes.items() if "bits" in recipe.options][:2]
    point = Point(first, "fail", "latency: too long", 50_000_000, seconds=seconds)
    assert bool(search.hopeless(second, [point])) is bool(search.hopeless("int8", [point])) is untried
    assert not search.hopeless("fp16", [point]) and not search.hopeless(first, [point])


def test_what_no_hurry_makes_fast_enough_is_told(toy: Any, tmp_path: Path, hurrying: list[str]) -> None:
    with pytest.raises(OverBudget, match=r"The nearest is int8 \(hurry 2\)"):
        toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(latency=0.5))


def test_nothing_is_hurried_without_a_limit_of_latency(toy: Any, tmp_path: Path, hurrying: list[str]) -> None:
    with pytest.raises(OverBudget):
        toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(size=45_000, minutes=1))
    assert not any("hurry" in name for name in hurrying)


def test_time_that_is_over(toy: Any, tmp_path: Path, tried: list[str]) -> None:
    with pytest.raises(GateFailed, match="minutes are over"):
        toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(minutes=1e-9))
    assert not tried


def test_a_size_that_no_recipe_can_have_is_told_with_the_smallest(toy: Any, tmp_path: Path, tried: list[str]) -> None:
    with pytest.raises(OverBudget, match=r"a size of at most 1 B\. The smallest is .*: about .*, which is too large"):
        toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(size=1))
    with pytest.raises(GateFailed, match="minutes are over"):
        toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(size=10**6, minutes=1e-9))
    assert not tried


def test_what_is_interrupted_while_the_chosen_recipe_is_made_is_kept(
    toy: Any, tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "climb", stopped)
        with pytest.raises(KeyboardInterrupt):
            toy.export(tmp_path / "b", precision="auto", data=toy.data)
    assert (tmp_path / "b.search.json").is_file()
    tried.clear()
    toy.export(tmp_path / "b", precision="auto", data=toy.data)
    assert len(tried) == 1
    assert not list(tmp_path.glob("*.search.json"))


def test_another_search_does_not_read_the_journal(toy: Any, tmp_path: Path, tried: list[str]) -> None:
    for data in (toy.data, toy.close):
        with pytest.raises(OverBudget):
            toy.export(tmp_path / "b", data=data, limits=edgekit.Limits(latency=1e-9))
    assert len(tried) == 6
    journal = tmp_path / "b.search.json"
    older = json.loads(journal.read_text())
    older["points"] = {
        f"onnx of 0.2 {i}": {**p, "recipe": f"onnx of 0.2 {i}"} for i, p in enumerate(older["points"].values())
    }
    journal.write_text(json.dumps(older))
    with pytest.raises(OverBudget):
        toy.export(tmp_path / "b", data=toy.close, limits=edgekit.Limits(latency=1e-9))
    assert len(tried) == 9, "recipes that an older edgekit named are tried anew"
    (tmp_path / "b.search.json").write_text("{")
    with pytest.raises(OverBudget):
        toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(latency=1e-9))
    assert len(tried) == 12


@pytest.mark.parametrize(
    "wish, word",
    [
        ({"precision": "int8", "limits": edgekit.Limits(size=1)}, "leaves nothing to search for"),
        ({"limits": edgekit.Limits(latency=float("nan"))}, "makes no sense"),
        ({"limits": edgekit.Limits(loss=-1)}, "makes no sense"),
        ({"precision": "auto"}, "needs real samples"),
    ],
)
def test_bad_wishes(toy: Any, tmp_path: Path, wish: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        toy.export(tmp_path / "b", **{"evidence": False, **wish})
    assert list(tmp_path.glob("b*")) == []


@pytest.mark.parametrize("text", ["60XB", "MB", "-3MB", "0", "1.2.3MB"])
def test_sizes_that_are_none(toy: Any, tmp_path: Path, text: str) -> None:
    with pytest.raises(SystemExit) as left:
        run(toy.arguments(tmp_path / "b", f"--max-size={text}"))
    assert left.value.code == 2


def test_limits_judge_and_the_nearest_is_named() -> None:
    small = Point("small", "pass", "", 10, 2.0, loss=Loss(3.0, 2.0, 4.0, "% of answers", 10.0))
    large = Point("large", "pass", "", 30, 0.5, loss=Loss(0.1, 0.0, 0.2, "% of answers", 10.0))
    recipes = {name: Recipe("onnxruntime", "int8") for name in ("small", "large", "none")}
    assert limits.choose_point([large, small], limits.Limits(), recipes) is small
    assert limits.choose_point([large, small], limits.Limits(size=40), recipes) is large  # a size is there to be spent
    assert limits.choose_point([large, small], limits.Limits(size=40, loss=5.0), recipes) is small
    wish = limits.Limits(size=20, loss=1.0)
    judged = [wish.judge_point(point) for point in (small, large, Point("none", "fail", "refused"))]
    assert [point.reason for point in judged] == ["loss: 3 is above 1", "size: 30 B is above 20 B", "refused"]
    with pytest.raises(OverBudget, match=r"The nearest is large: 30 B, 500 ms, a loss of 0\.1 % of answers"):
        limits.choose_point(judged, wish, recipes)
    assert limits.Limits(latency=1.0).judge_point(Point("x", "pass", "", 1)).reason == "its latency was not measured"


def test_of_equal_losses_bits_are_given_up_only_as_the_size_asks() -> None:
    options = {"4.5": {"bits": {"network": 4.5}}, "5.5": {"bits": {"network": 5.5}}, "int8": {}, "fp32": {}}
    recipes = {
        name: Recipe("onnxruntime", "fp32" if name == "fp32" else "int8", held) for name, held in options.items()
    }
    none = Loss(0.0, 0.0, 4.0, "% of answers", 10.0)
    points = [Point(name, "pass", "", size, loss=none) for name, size in zip(recipes, (15, 20, 25, 90), strict=True)]

    def best(most: int, count: int = 4) -> str:
        wish = limits.Limits(size=most)
        return limits.choose_point([wish.judge_point(point) for point in points[:count]], wish, recipes).recipe

    assert [best(20), best(24), best(30), best(100)] == ["5.5", "5.5", "int8", "int8"]
    assert limits.choose_point(points, limits.Limits(), recipes).recipe == "4.5"
    points[0] = Point("4.5", "pass", "", 15, loss=Loss(-0.1, -1.0, 4.0, "% of answers", 10.0))
    assert best(30) == "4.5"


def test_what_the_exporters_offer() -> None:
    model = find("models", "whisper-base")
    offered = [(recipe.precision, dict(recipe.options)) for recipe in find("exporters", "onnx").candidates(model, INT8)]
    assert offered[1] == ("int8", {"bits": {"decoder": 5.5, "encoder": 6.0}})
    assert ("int8", {"float_parts": ["encoder"]}) in offered
    assert [precision for precision, options in offered if not options] == ["int8", "fp16", "fp32"]
    sizes = [model.costs.size(Recipe("onnxruntime", precision, options)) for precision, options in offered]
    assert (
        offered[3] == ("int8", {}) and sizes[0] < 52e6 < sizes[1] < 60e6 < sizes[2] < 0.85 * sizes[3]
    )  # 4 bits are tried for --max-size
    language, gguf = find("models", "smollm2-135m"), find("exporters", "gguf")
    sizes = [language.costs.size(recipe) for recipe in gguf.candidates(language, recipe_of("llama-cpp", "q4_0"))]
    assert len(sizes) == len(LADDER) and sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("size", "count"), [(30_000_000, 0), (45_000_000, 1), (60_000_000, 2), (75_000_000, 4), (10**9, 3)]
)
def test_a_limit_of_size_is_spent(size: int, count: int) -> None:
    """The last of the recipes with fewer bits takes as many as the size allows."""
    model = find("models", "whisper-base")
    narrow = [recipe for recipe in find("exporters", "onnx").candidates(model, INT8, size) if "bits" in recipe.options]
    sizes = [model.costs.size(recipe) for recipe in narrow]
    assert len(sizes) == count and sizes == sorted(sizes)
    assert count == 0 or size > 80_000_000 or 0.98 * size < sizes[-1] <= size


@pytest.mark.parametrize(("share", "more"), [(0.98, True), (1.0, True), (1.15, False)])
def test_a_limit_of_size_is_filled_by_what_was_measured(share: float, more: bool, tmp_path: Path) -> None:
    """Estimates may be off: bits are corrected by the file that was made, once."""
    wish = limits.Limits(size=60_000_000)
    job = job_of(Asked("whisper-base", runtime="onnxruntime", limits=wish))
    stage = Run(job, Checkpoint(tmp_path, "", {}, {}, {}), None, "", tmp_path, tmp_path, tmp_path, lambda *_: None)
    search = Search(stage, wish, job.recipes_to_try(wish.size_budget), wish.size_budget)
    name = [name for name, recipe in search.recipes.items() if "bits" in recipe.options][-1]
    estimate = job.model.costs.size
    point = Point(name, "pass", "", int(share * estimate(search.recipes[name])))
    refined = search.fill_size_limit([point])
    assert refined is not None and list(search.recipes) == list(refined.recipes)[:-1]
    added = list(refined.recipes.values())[-1]
    assert (added.options["bits"]["decoder"] > search.recipes[name].options["bits"]["decoder"]) is more
    assert 0.995 * 60e6 < share * estimate(added) <= 60e6
    assert list(job.recipes_to_try(refined.size))[-1] in refined.recipes  # a worker of a pool finds it by its name
    assert (
        refined.fill_size_limit([replace(point, recipe=list(refined.recipes)[-1], size=int(share * estimate(added)))])
        is None
    )
    assert search.fill_size_limit([]) is None


def test_the_size_of_a_trial_is_that_of_the_bundle_without_its_texts(toy: Any, tmp_path: Path) -> None:
    made = toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits())
    [point] = [p for p in points(made.path).values() if p.recipe == str(made.manifest.recipe.precision)]
    texts = ("manifest.json", "README.md", "sbom.cdx.json", "frontier.json", "frontier.svg")
    files = [path for path in made.path.rglob("*") if path.is_file()]
    assert point.size == sum(path.stat().st_size for path in files if path.name not in texts)


def test_a_recipe_that_is_surely_too_large_is_not_tried(toy: Any, tmp_path: Path, tried: list[str]) -> None:
    made = toy.export(tmp_path / "b", data=toy.data, limits=edgekit.Limits(size=60_000))
    assert "which is too large" in points(made.path)["fp32"].reason or "a smaller" in points(made.path)["fp32"].reason
    assert set(tried) == {"int8", "int4"}


def test_a_dry_run_names_what_would_be_tried(toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = toy.arguments(tmp_path / "b", f"--data={toy.data}", "--max-size=60kB", "--dry-run")
    assert run([*words, "--json"]) == 0
    outline = json.loads(capsys.readouterr().out)
    assert outline["search"]["size"] == 60_000
    assert {recipe["precision"] for recipe in outline["recipes"]} == {"int8", "int4", "fp32"}
    assert run(words) == 0
    assert "a search tries: toy int8" in capsys.readouterr().out
