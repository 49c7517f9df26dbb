"""Every model, target and exporter that the registry knows is complete, consistent, and has its tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.common import package_data
from edgekit.core import Exporter, Model, Runtime, Target
from edgekit.errors import UnknownName, Unsupported
from edgekit.estimation.recipes import takers
from edgekit.pipeline.reuse import strip_functions
from edgekit.registry import ROOMS, find, names, serving
from edgekit.runtimes.resolved import add_format, recipe_of, runtime_for

MODELS, TARGETS, EXPORTERS = names("models"), names("targets"), names("exporters")
TESTS = Path(__file__).parent
ORDER = ("int4", "int8", "fp16", "fp32")
#: Exporters that any network may try.
NETWORKS = ("onnx", "litert", "coreml", "executorch")


@pytest.mark.parametrize("room", ROOMS)
def test_names_are_files(room: str) -> None:
    folders = {name: f"toolkit/{name}" for name in ("tasks", "runtimes", "importers")} | {"families": "models"}
    folder = TESTS.parents[1] / folders.get(room, room)
    files = [file for file in folder.rglob("*.py") if f"\n{ROOMS[room]}" in file.read_text(encoding="utf-8")]
    stems = [file.parent.name if file.stem == "__init__" else file.stem for file in files]
    aliases = folder / ("" if room == "families" else "aliases.toml")
    tables = tomllib.loads(aliases.read_text("utf-8")) if aliases.is_file() else {}
    assert names(room) == sorted([*(stem.replace("_", "-") for stem in stems), *tables])
    assert files


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_is_told_its_neighbours(room: str) -> None:
    known = names(room)[0]
    with pytest.raises(UnknownName, match=known):
        find(room, known + "x")
    with pytest.raises(UnknownName, match="Known: "):
        find(room, "qqqqqqqq")
    for bad in ("", "_helper", "__init__", "../core", "core.py"):
        with pytest.raises(UnknownName):
            find(room, bad)


def test_names_are_read_kindly() -> None:
    assert find("models", "Whisper_Base") is find("models", "whisper-base")


def test_listing_imports_nothing() -> None:
    """And finding a declaration brings no library that computes."""
    code = (
        "import sys; from edgekit.registry import names, find; "
        "[names(room) for room in ('models', 'targets', 'exporters')]; "
        "assert not [m for m in sys.modules if m.startswith(('edgekit.models.', 'edgekit.targets.'))]; "
        "[find(room, name) for room in ('models', 'targets', 'exporters') for name in names(room)]; "
        "heavy = {'torch', 'onnx', 'numpy', 'onnxruntime', 'tokenizers', 'soundfile'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_whole(name: str) -> None:
    model: Model = find("models", name)
    assert isinstance(model, Model)
    assert model.name == name
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", model.task.name)
    assert model.identity.licence
    assert model.network.parameters > 0
    parts = [part.name for part in model.network.parts]
    assert parts
    assert len(parts) == len(set(parts))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", part) for part in parts)


@pytest.mark.parametrize("name", MODELS)
def test_the_parts_of_a_model_declare_their_axes(name: str) -> None:
    for part in find("models", name).network.parts:
        for specs in (part.inputs, part.outputs):
            assert specs
            tensors = [spec.name for spec in specs]
            assert len(tensors) == len(set(tensors))
        assert not {spec.name for spec in part.inputs} & {spec.name for spec in part.outputs}
        used = {axis for spec in part.inputs for axis in spec.shape if isinstance(axis, str)}
        assert used == set(part.axes), part.name
        sizes = [axis for spec in part.inputs for axis in spec.shape if isinstance(axis, int)]
        assert all(size > 0 for size in sizes)
        for axis in part.axes.values():
            assert axis.least <= axis.example <= axis.most
            assert axis.example > 1  # torch takes 0 and 1 for constants
            for size in (axis.least, axis.example, axis.most):
                assert size % axis.multiple == 0
        examples = [axis.example for axis in part.axes.values()]
        assert len(examples) == len(set(examples)), "two axes of one size cannot be told apart in a trace"


@pytest.mark.parametrize("name", MODELS)
def test_what_flows_from_part_to_part_agrees(name: str) -> None:
    """A tensor that one part makes and a later one takes, under the same name, is the same tensor."""
    made: dict[str, tuple[str, int]] = {}
    for part in find("models", name).network.parts:
        for spec in part.inputs:
            if spec.name in made:
                assert made[spec.name] == (spec.dtype, len(spec.shape)), spec.name
        made.update({spec.name: (spec.dtype, len(spec.shape)) for spec in part.outputs})


@pytest.mark.parametrize("name", MODELS)
def test_the_sources_of_a_model_are_pinned(name: str) -> None:
    model: Model = find("models", name)
    assert model.weights.sources or re.match(r"hf://[^/]+/[^/]+", model.weights.hub), "weights come from somewhere"
    serves = (model, *model.network.variants.values())
    for served in serves:
        public = [source for source in served.weights.sources if all(file.pieces for file in source.files)]
        assert public or not served.weights.sources, "one source at least has public addresses"
    for source in (source for served in serves for source in served.weights.sources):
        assert source.licence
        assert source.revision
        assert source.files
        held = [file.name for file in source.files]
        assert len(held) == len(set(held))
        assert set(model.weights.assets) <= set(held)
        for file in source.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256 or ""), file.name
            assert file.size is None or file.size > 0
            assert all(map(is_pinned, file.pieces)), file.pieces


def is_pinned(piece: str) -> bool:
    """An address that means the same file in every folder and on every day; of a host for code, at a commit."""
    if piece.startswith("https://raw.githubusercontent.com/"):
        return bool(re.match(r"https://[^/]+/[^/]+/[^/]+/[0-9a-f]{40}/", piece))
    return bool(re.match(r"pypi://[^/@]+@[^/]+/|hf://[^/]+/[^/@]+@[0-9a-f]{40}/|https://|edgekit://", piece))


@pytest.mark.parametrize(
    "piece",
    [
        *("../shared/models/w.tflite", "w.tflite", "/w.tflite", "file:///w.tflite", "pypi://name/w"),
        *("hf://owner/repo@main/w", "https://raw.githubusercontent.com/owner/repo/main/w", "http://host/w"),
    ],
)
def test_paths_and_moving_addresses_are_not_pinned(piece: str) -> None:
    assert not is_pinned(piece)


@pytest.mark.parametrize("name", MODELS)
def test_the_data_of_a_model_is_in_the_package(name: str) -> None:
    model: Model = find("models", name)
    assert len(package_data.read(model.identity.licence_text)) > 500
    assert len(package_data.read(model.task.golden)) > (40 if model.task.golden.endswith(".txt") else 1000)


@pytest.mark.parametrize("name", MODELS)
def test_size_and_memory_grow_with_precision(name: str) -> None:
    model: Model = find("models", name)
    # Flash and RAM of firmware, which test_firmware_real.py compares with what was measured.
    for recipe in (recipe_of("qemu", "int8"),) if "integers" in model.network.variants else ():
        assert 10_000 < model.network.variants["integers"].costs.size(recipe) < model.network.parameters + 64_000
        assert 100 < model.network.variants["integers"].costs.memory(recipe) < 1_000_000
    if model.network.ready == "tflite":  # a ready int8 network, and its frontend
        recipe = recipe_of("litert", "int8")
        assert model.network.parameters < model.costs.size(recipe) < model.network.parameters + 1_500_000
        assert model.costs.memory(recipe) > model.costs.size(recipe)
        return
    if model.network.ready == "gguf":
        # Mixed types have no whole bytes; test_language_shape.py compares them with real files.
        ladder = find("exporters", "gguf").ladder(model, recipe_of("llama-cpp", "q4_0"))
        sizes = [model.costs.size(recipe) for recipe in ladder]
        assert sizes == sorted(sizes)
        assert all(model.costs.memory(recipe) > model.costs.size(recipe) for recipe in ladder)
        return
    exporters = [name for name in NETWORKS if serving(model, name) is model]
    if not any(part.quantize for part in model.network.parts):  # it stays float whatever the precision
        assert len({model.costs.size(recipe_of("onnxruntime", precision)) for precision in ORDER}) == 1
        assert 4 * model.network.parameters < model.costs.size(recipe_of("onnxruntime", "fp32"))
        return
    for exporter in exporters:
        precisions = [precision for precision in ORDER if precision in find("exporters", exporter).precisions]
        recipes = [recipe_of(runtime_for(exporter), precision) for precision in precisions]
        sizes, memories = (
            [model.costs.size(recipe) for recipe in recipes],
            [model.costs.memory(recipe) for recipe in recipes],
        )
        assert sizes == sorted(set(sizes))
        # Half precision is unpacked to fp32 by some runtimes, and so are weights that alone are in int8: both can take
        # more memory than fp32 itself.
        assert memories[0] == min(memories[:2])
        for precision, size, memory in zip(precisions, sizes, memories, strict=True):
            byte = {"int4": 0.5, "int8": 1, "fp16": 2, "fp32": 4}[precision]
            # Frontends are tables that stay float: up to a megabyte.
            assert model.network.parameters * byte < size < model.network.parameters * byte * 1.5 + 1_100_000
            assert memory > size


@pytest.mark.parametrize("name", MODELS)
def test_the_ladder_of_a_model_can_be_climbed(name: str) -> None:
    model: Model = find("models", name)
    for exporter in map(partial(find, "exporters"), takers(model)):
        served = serving(model, exporter.name)
        ladder = exporter.ladder(served, recipe_of(runtime_for(exporter.name), exporter.precisions[0]))
        precisions = [recipe.precision for recipe in ladder]
        assert set(precisions) <= set(exporter.precisions)
        for recipe in ladder:
            exporter.check_recipe(served, recipe)
    if model.task.evaluation:
        assert model.task.evaluation.minimum > 0
        assert model.task.evaluation.drop > 0


# --- targets and exporters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_can_be_served(name: str) -> None:
    target: Target = find("targets", name)
    assert isinstance(target, Target)
    assert target.name == name
    assert target.system
    assert target.processor
    for task, recipe in target.recipes.items():
        exporter = find("exporters", add_format(recipe).exporter)
        assert recipe.precision in exporter.precisions, task
        assert recipe.runtime in target.runtimes, "an app must know what to ship"
    for budget in (target.download, target.ram, target.flash):
        assert budget is None or budget > 0
    for task in {find("models", model).task.name for model in MODELS}:
        assert task in target.refuses or task in target.recipes or "*" in target.recipes


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_prints_the_same_in_every_run(name: str) -> None:
    """Or a second export would never be recognised as done."""
    assert " at 0x" not in repr(strip_functions(find("targets", name)))


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_exporter_is_whole(name: str) -> None:
    exporter = find("exporters", name)
    assert isinstance(exporter, Exporter)
    assert exporter.name == name
    assert exporter.precisions
    assert len(exporter.precisions) == len(set(exporter.precisions))
    assert exporter.missing_attributes() == []
    assert exporter.extra and exporter.doctor
    assert len(set(exporter.distributions)) == len(exporter.distributions) > 0


@pytest.mark.parametrize("name", names("runtimes"))
def test_a_runtime_is_whole(name: str) -> None:
    runtime = find("runtimes", name)
    assert isinstance(runtime, Runtime)
    assert runtime.name == name
    assert runtime.missing_attributes() == []
    assert runtime.process_bytes > 0
    if not runtime.formats:
        assert name == "torch", "it computes references"
        return
    able, precisions = runtime.abilities, find("exporters", runtime.formats[0]).precisions
    integers = {int(precision[3:]) for precision in precisions if re.fullmatch(r"int\d+", precision)}
    assert integers <= {*able.bits, *able.palettes}, "it computes what its format's precisions say"
    assert set(able.scales) <= {"tensor", "channel"} and set(able.activations) <= {
        "static",
        "static-16",
        "dynamic",
        "float",
    }
    assert set(able.integer) <= {"convolution", "product", "recurrent"}
    assert bool(runtime.places) == (type(runtime).lower is not Runtime.lower), "who compiles ahead says what is where"
    assert bool(able.integer) == bool({"static", "dynamic"} & set(able.activations)), "integers times integers"


@pytest.mark.parametrize(
    ("room", "name", "ours"),
    [
        ("exporters", "onnx", r"edgekit\.exporters\.onnx"),
        ("targets", "Android", r"edgekit\.targets\.android"),
        ("models", "whisper-base", r"edgekit\.models\.whisper\.whisper_base"),
        ("tasks", "text-generation", r"edgekit\.tasks\.text_generation"),
    ],
)
def test_an_outside_entry_with_the_name_of_ours_is_refused_by_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: str, name: str, ours: str
) -> None:
    points = f"[edgekit.{room}]\n{name} = absent_module:THING\n"
    monkeypatch.syspath_prepend(str(toy_model.install(tmp_path / "site", points)))
    said = rf"'{name}' is defined more than once: by edgekit \({ours}\) and by toy 1\.0 \(absent_module:THING\)"
    with pytest.raises(Unsupported, match=said):
        find(room, name)
    assert len(names(room)) == len(set(names(room)))


def test_two_files_of_one_name_are_refused_with_both(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
        (tmp_path / folder / "twice.py").write_text("TARGET = None\n")
    code = """
import sys
import edgekit.targets
from edgekit.registry import find
edgekit.targets.__path__.append(sys.argv[1])
find("targets", "twice")
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert "Unsupported: the target 'twice' is defined more than once" in done.stderr
    assert "edgekit.targets.a.twice" in done.stderr and "edgekit.targets.b.twice" in done.stderr


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_pair_gets_an_answer(model: str, target: str) -> None:
    fit = edgekit.fit(model, target)
    assert fit.verdict in ("fits", "too large", "refused")
    assert fit.reason


# --- coverage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("room", "name"), [(room, name) for room, known in (("exporters", EXPORTERS),) for name in known]
)
def test_every_exporter_has_its_own_tests(room: str, name: str) -> None:
    file = TESTS.parent / room / name.replace("-", "_") / "test_exporter.py"
    assert file.is_file(), f"write {file.relative_to(TESTS.parents[1])}"


@pytest.mark.parametrize("name", MODELS)
def test_every_family_has_its_own_tests(name: str) -> None:
    """A size of a family is declaration only; what its family computes is tested in tests/models/FAMILY/."""
    family = find("models", name).identity.family
    assert list((TESTS.parent / "models").rglob(f"{family}/test_*.py")), f"write tests/models/{family}/test_....py"
