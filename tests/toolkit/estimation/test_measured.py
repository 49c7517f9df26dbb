"""What `fit` predicts, against what was measured: sizes within 3 %, memory within 15 %, for every model there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.core import Bundle, Model, Recipe, Report, serving
from edgekit.errors import OverBudget, Unsupported
from edgekit.estimation import speeds
from edgekit.estimation.recipes import recipe_for
from edgekit.registry import find, names
from edgekit.reports import cells
from edgekit.reports.cells import Cell

SIZE, RAM = 0.03, 0.15
#: Numbers of weights that their authors or torchvision publish, of models whose weights are not pinned: nothing was
#: exported here, so that their predicted sizes are held against this.
PUBLISHED = {
    "gemma3-1b": 999_885_952,
    "llama-3-2-1b": 1_235_814_400,
    "llama-3-2-3b": 3_212_749_824,
    "mobilenet-v2": 3_504_872,
    "mobilenet-v3-small": 2_542_856,
    "phi-4-mini": 3_836_021_760,
    "qwen2-5-1-5b": 1_543_714_304,
    "qwen2-5-7b": 7_615_616_512,
    "qwen3-1-7b": 1_720_574_976,
    "qwen3-4b": 4_022_468_096,
    "qwen3-8b": 8_190_735_360,
    "smollm2-1-7b": 1_711_376_384,
    "whisper-small": 241_734_912,
    "whisper-tiny": 37_760_640,
}
#: Measured by hand and told in docs/language-models.md, since an export takes many minutes: recipe, bytes of the file,
#: peak of memory.
BY_HAND = {"qwen2-5-coder-1-5b": (Recipe("gguf", "q4_k_m", {"context": 512}), 1_117_320_768, 1_923_000_000)}
CELLS = [cell for cell in speeds.calibration().cells if cell.report is not None]


def measured(report: Report | None, name: str) -> float | None:
    """The largest value of one quantity."""
    assert report is not None
    values = [value for one in report.measurements if one.name == name for group in one.values for value in group]
    return max(values, default=None)


def predicted(cell: Cell) -> tuple[int, int]:
    model, target = find("models", cell.model), find("targets", cell.target)
    recipe = recipe_for(model, target, cell.precision, cell.exporter)
    serves = serving(model, cell.exporter)
    return serves.costs.size(recipe), serves.costs.memory(recipe)


@pytest.mark.parametrize("name", names("models"))
def test_every_model_was_measured_or_counted(name: str) -> None:
    model: Model = find("models", name)
    if not model.weights.sources or name in PUBLISHED:
        assert PUBLISHED[name] == pytest.approx(model.network.parameters, rel=2e-3)
        return
    if name in BY_HAND:
        recipe, size, ram = BY_HAND[name]
        assert model.costs.size(recipe) == pytest.approx(size, rel=SIZE)
        assert model.costs.memory(recipe) == pytest.approx(ram, rel=RAM)
        return
    default = recipe_for(model, find("targets", "laptop"))
    known = {(cell.exporter, cell.precision) for cell in CELLS if cell.model == name}
    assert (default.exporter, default.precision) in known, f"measure it: see docs/fit.md ({name})"


@pytest.mark.parametrize(
    "name", sorted(name for name in PUBLISHED if find("models", name).network.exporters != ("gguf",))
)
def test_sizes_of_what_is_not_here_follow_the_published_count(name: str) -> None:
    model: Model = find("models", name)
    recipe = Recipe("onnx", "fp32")
    assert model.costs.size(recipe) == pytest.approx(4 * PUBLISHED[name], rel=SIZE, abs=4_500_000)


@pytest.mark.parametrize("cell", CELLS, ids=cells.label)
def test_predictions_hold_for_what_was_measured(cell: Cell) -> None:
    size, ram = predicted(cell)
    if cell.exporter == "c":
        assert size == pytest.approx(footprint(cell, "flash"), rel=SIZE)
        assert ram == pytest.approx(footprint(cell, "ram"), rel=RAM)
        return
    assert cell.report is not None
    assert size == pytest.approx(cell.report.bundle["size"], rel=SIZE)
    peak = measured(cell.report, "rss.peak")
    if peak is not None:
        assert ram == pytest.approx(peak, rel=RAM)


def footprint(cell: Cell, kind: str) -> float:
    """Of the program with its frontend, where it has one."""
    found = measured(cell.report, f"footprint_sound.{kind}") or measured(cell.report, f"footprint.{kind}")
    assert found is not None
    return found


# ------------------------------------------------------------------------------------------ measured again, on this run

#: Cheap to export, and each of another format and family.
AGAIN = (("okay-nabu", "litert", "int8"), ("mobilenet-v1-025-vww", "onnx", "fp32"))


@pytest.mark.real
@pytest.mark.parametrize(("name", "exporter", "precision"), AGAIN)
def test_predictions_hold_for_a_bundle_made_now(name: str, exporter: str, precision: str, tmp_path: Path) -> None:
    bundle = edgekit.export(name, "laptop", precision=precision, exporter=exporter, out=tmp_path / "b", fallback=False)
    holds(bundle, name, Recipe(exporter, precision))


@pytest.mark.real
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_predictions_hold_for_whisper(precision: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(f"{precision}_bundle")
    holds(bundle, "whisper-base", Recipe("onnx", precision))


def holds(bundle: Bundle, name: str, recipe: Recipe) -> None:
    report = edgekit.benchmark(bundle.path, threads=1, processes=1, warmups=1, loops=2)
    model = serving(find("models", name), recipe.exporter)
    recipe = recipe_for(find("models", name), find("targets", "laptop"), recipe.precision, recipe.exporter)
    size = sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())
    assert model.costs.size(recipe) == pytest.approx(size, rel=SIZE)
    assert model.costs.memory(recipe) == pytest.approx(measured(report, "rss.peak"), rel=RAM)


# --------------------------------------------------------------------------------------- what fits is not refused later


class FetchBegan(Exception):
    pass


@pytest.mark.parametrize("target", names("targets"))
@pytest.mark.parametrize("model", names("models"))
def test_export_agrees_before_any_download(
    model: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*arguments: Any, **options: Any) -> None:
        raise FetchBegan

    for name in ("fetch", "user_source"):
        monkeypatch.setattr(f"edgekit.pipeline.exporting.{name}", fetch)
    answer = edgekit.fit(model, target)
    wanted = {"fits": FetchBegan, "refused": Unsupported, "too large": OverBudget}[answer.verdict]
    accepted = [find("models", model).identity.terms]
    with pytest.raises(wanted):
        edgekit.export(model, target, out=tmp_path / "b", accept_terms=accepted)
    if answer.nearest:
        name, _, rest = answer.nearest.partition(" --precision ")
        precision, _, exporter = rest.partition(" --exporter ")
        assert edgekit.fit(name, target, precision, exporter or None).verdict == "fits"
