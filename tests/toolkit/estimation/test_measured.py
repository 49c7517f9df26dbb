"""What `fit` predicts, against what was measured: sizes within 3 %, memory within 15 %, for every model there is; and
what it would predict from half of that, against the other half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.cases import held_out

import edgekit
from edgekit.bench.statistics import repeated
from edgekit.core import Bundle, Model, Recipe
from edgekit.errors import OverBudget, Unsupported
from edgekit.estimation.recipes import recipe_for
from edgekit.models.vision.shapes import V3_SMALL
from edgekit.numerics import weighing
from edgekit.numerics.layers import work
from edgekit.registry import find, names, serving
from edgekit.reports import cells
from edgekit.reports.cells import Cell
from edgekit.runtimes.resolved import recipe_of

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
    "whisper-tiny-en": 37_760_256,
}
#: Measured by hand, apart from the calibration file (docs/language-models.md, docs/families.md): recipe, bytes, peak of
#: memory.
BY_HAND = {
    "qwen2-5-coder-1-5b": (recipe_of("llama-cpp", "q4_k_m", {"context": 512}), 1_117_320_768, 1_923_000_000),
    "all-minilm-l6-v2": (recipe_of("onnxruntime", "int8"), 24_595_798, 118_300_000),
    "basic-pitch": (recipe_of("onnxruntime", "int8"), 330_427, 89_272_320),
    "blazeface": (recipe_of("onnxruntime", "fp16"), 366_800, 79_900_000),
    "ddpm-fashion": (recipe_of("onnxruntime", "int8"), 951_966, 74_900_000),
    "fracast": (recipe_of("onnxruntime", "fp16"), 306_381, 82_700_000),
    "hand-landmarks": (recipe_of("onnxruntime", "fp16"), 7_822_371, 109_400_000),
    "piper-joe": (recipe_of("onnxruntime", "int8"), 16_346_746, 204_500_000),
    "pose-landmarks": (recipe_of("onnxruntime", "fp16"), 12_184_000, 124_900_000),
    "pp-ocr-v4": (recipe_of("onnxruntime", "fp16"), 8_320_613, 206_000_000),
    "selfie-segmentation": (recipe_of("onnxruntime", "fp16"), 382_600, 83_000_000),
    "proteinmpnn": (recipe_of("onnxruntime", "int8"), 2_043_588, 89_200_000),
    "vit-fashion": (recipe_of("onnxruntime", "int8"), 192_911, 75_800_000),
    "two-tower-movielens": (recipe_of("onnxruntime", "int8"), 377_509, 71_800_000),
    "silero-vad": (recipe_of("onnxruntime", "int8"), 567_671, 77_000_704),
}
CELLS = held_out.cells()
#: Held out, Core ML's bytes of graph a layer come from three models that are all large beside their graphs: too much
#: for MobileNet v1, whose bundles are the smallest (21 kB of 381).
HELD_OUT = {"coreml": 0.06}
#: Model and format of what only its own measurements tell of, so that nothing can be held out: size, peak of memory.
ALONE = (
    {("ge2e-speaker", "litert")},
    {
        ("efficientnet-lite0", "openvino"),
        ("gemma3-270m", "llama-cpp"),
        ("smollm2-135m", "llama-cpp"),
        ("whisper-base", "onnxruntime"),
    },
)


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
    known = {(cell.runtime, cell.precision) for cell in CELLS if cell.model == name}
    assert (default.runtime, default.precision) in known, f"measure it: see docs/fit.md ({name})"


@pytest.mark.parametrize("name", sorted(name for name in PUBLISHED if find("models", name).network.ready != "gguf"))
def test_sizes_of_what_is_not_here_follow_the_published_count(name: str) -> None:
    model: Model = find("models", name)
    beside = sum(file.size or 0 for source in model.weights.companions.values() for file in source.files)
    assert as_published(name, model.costs.size(recipe_of("onnxruntime", "fp32")) - beside)


def test_a_layer_that_was_forgotten_is_noticed() -> None:
    whole = find("models", "mobilenet-v3-small").costs.size(recipe_of("onnxruntime", "fp32"))
    before, after = (
        weighing.size([work("network", "convolution", shape.layers())], recipe_of("onnxruntime", "fp32"))
        for shape in (V3_SMALL, replace(V3_SMALL, hidden=0))
    )
    assert as_published("mobilenet-v3-small", whole)
    assert not as_published("mobilenet-v3-small", whole - before + after)


def as_published(name: str, size: int) -> bool:
    """Whether a bundle in fp32 is as large as its published number of weights says."""
    return size == pytest.approx(4 * PUBLISHED[name], rel=SIZE)


@pytest.mark.parametrize("cell", CELLS, ids=cells.label)
def test_predictions_hold_for_what_was_measured(cell: Cell) -> None:
    assert hold(cell)


def hold(cell: Cell) -> bool:
    limits = zip(held_out.predicted(cell), held_out.measured(cell), (SIZE, RAM), strict=True)
    return all(truth is None or value == pytest.approx(truth, rel=most) for value, truth, most in limits)


@pytest.mark.parametrize("cell", CELLS, ids=cells.label)
def test_predictions_hold_for_the_half_that_was_not_looked_at(cell: Cell) -> None:
    """Constants fitted to the other half of what was measured; of firmware, copied from another processor."""
    off = held_out.held_out()[cells.label(cell)]
    for value, truth, most, alone in zip(
        off, held_out.measured(cell), (HELD_OUT.get(cell.runtime, SIZE), RAM), ALONE, strict=True
    ):
        if value is not None:
            assert abs(value) <= most
        elif truth is not None and cell.runtime != "qemu":
            assert (cell.model, cell.runtime) in alone


@pytest.mark.parametrize("constant", [*held_out.SIZE, *held_out.RAM], ids=".".join)
def test_a_wrong_constant_is_noticed(constant: held_out.Constant) -> None:
    with held_out.changed({constant: 10 * held_out.value(constant)}):
        assert not all(hold(cell) for cell in CELLS)


# ------------------------------------------------------------------------------------------ measured again, on this run

#: Cheap to export, and each of another format and family.
AGAIN = (("okay-nabu", "litert", "int8"), ("mobilenet-v1-025-vww", "onnxruntime", "fp32"))


@pytest.mark.real
@pytest.mark.parametrize(("name", "exporter", "precision"), AGAIN)
def test_predictions_hold_for_a_bundle_made_now(name: str, exporter: str, precision: str, tmp_path: Path) -> None:
    bundle = edgekit.export(
        name, "laptop", precision=precision, runtime=exporter, out=tmp_path / "b", fallback=False, evidence=False
    )
    holds(bundle, name, recipe_of(exporter, precision))


@pytest.mark.real
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_predictions_hold_for_whisper(precision: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(f"{precision}_bundle")
    holds(bundle, "whisper-base", recipe_of("onnxruntime", precision))


def holds(bundle: Bundle, name: str, recipe: Recipe) -> None:
    # The highest of three processes: one may peak 20 MB lower, by the order in which it frees.
    report = edgekit.benchmark(bundle.path, threads=1, processes=3, warmups=1, loops=2)
    model = serving(find("models", name), recipe.exporter)
    recipe = recipe_for(find("models", name), find("targets", "laptop"), recipe.precision, recipe.runtime)
    size = sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())
    assert model.costs.size(recipe) == pytest.approx(size, rel=SIZE)
    peak = max(value for one in report.measurements if one.name == "rss.peak" for value in repeated.pool(one.values))
    assert model.costs.memory(recipe) == pytest.approx(peak, rel=RAM)


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
        monkeypatch.setattr(f"edgekit.pipeline.resolving.{name}", fetch)
    answer = edgekit.fit(model, target)
    wanted = {"fits": FetchBegan, "refused": Unsupported, "too large": OverBudget}[answer.verdict]
    accepted = [find("models", model).identity.terms]
    with pytest.raises(wanted):
        edgekit.export(model, target, out=tmp_path / "b", accept_terms=accepted)
    if answer.nearest:
        name, _, rest = answer.nearest.partition(" --precision ")
        precision, _, exporter = rest.partition(" --runtime ")
        assert edgekit.fit(name, target, precision, exporter or None).verdict == "fits"
