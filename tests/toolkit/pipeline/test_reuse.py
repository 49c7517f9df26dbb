"""A second identical export finds the first one; whatever decides what an export makes, changed, does not."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import toy_model

import edgekit
from edgekit import registry
from edgekit.bench.machine import host
from edgekit.core import Evaluation, Model, Recipe, Sample
from edgekit.gate.judges import AnswerJudge
from edgekit.pipeline import reuse
from edgekit.pipeline.job import Asked, Job
from edgekit.pipeline.search.limits import Limits
from edgekit.runtimes.resolved import recipe_of


@pytest.fixture(autouse=True)
def _chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_second_export_is_reused_and_does_no_work(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = toy.export(tmp_path / "b", data=toy.data)
    assert not first.reused
    before = {path: path.stat().st_mtime_ns for path in first.path.rglob("*")}
    monkeypatch.setattr("edgekit.pipeline.resolving.read_checkpoint", None)
    monkeypatch.setattr("edgekit.pipeline.exporting.make", None)
    second = toy.export(tmp_path / "b", data=toy.data)
    assert second.reused
    assert second.manifest == first.manifest
    assert {path: path.stat().st_mtime_ns for path in second.path.rglob("*")} == before


def test_a_reused_export_does_not_import_torch(toy: Any, bundle: Path) -> None:
    code = """
import sys
from edgekit.cli import run
assert run(sys.argv[1:]) == 0
print(sorted({"torch", "onnx", "onnxruntime", "onnxscript"} & set(sys.modules)), file=sys.stderr)
"""
    done = toy.python(code, *toy.arguments(bundle, "--json"))
    assert json.loads(done.stdout)["reused"] is True, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_two_exports_of_the_same_are_the_same_bytes(toy: Any, tmp_path: Path) -> None:
    one, two = (toy.export(tmp_path / name, data=toy.data).path for name in "ab")
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert [name for name in names if (one / name).read_bytes() != (two / name).read_bytes()] == []


@pytest.fixture
def again(toy: Any, tmp_path: Path) -> Any:
    """Exports with everything that can be changed, in copies; returns whether a bundle was reused."""
    weights = Path(shutil.copytree(toy.weights, tmp_path / "own weights"))
    data = Path(shutil.copytree(toy.data, tmp_path / "own data"))
    calibration = Path(shutil.copytree(toy.close, tmp_path / "own calibration"))

    def export(**options: Any) -> bool:
        chosen: dict[str, Any] = {"weights": str(weights), "data": data, "calibration": calibration, **options}
        return bool(toy.export(tmp_path / "b", **chosen).reused)

    assert not export()
    assert export()
    return export


@pytest.mark.parametrize(
    "options",
    [
        *({"precision": "fp32"}, {"data": None}, {"calibration": None}, {"fallback": False}, {"target": "laptop"}),
        {"target": "laptop", "runtime": "toy"},
    ],
    ids=str,
)
def test_another_option_is_another_bundle(again: Any, options: dict[str, Any]) -> None:
    if options.get("target") == "laptop":
        options = {**options, "runtime": "toy", "force": True}
    assert not again(**options)
    assert again(**options)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "labels.txt"])
@pytest.mark.parametrize("as_file", [False, True], ids=["folder", "file"])
def test_changed_weights_are_another_bundle(again: Any, tmp_path: Path, name: str, as_file: bool) -> None:
    folder = tmp_path / "own weights"
    given = str(folder / "model.safetensors") if as_file else str(folder)
    again(weights=given, data=None)
    assert again(weights=given, data=None)
    if name == "model.safetensors":
        shutil.copy(toy_model.write_weights(tmp_path / "w", seed=6) / name, folder / name)
    else:
        (folder / name).write_text((folder / name).read_text() + "\n")
    assert not again(weights=given, data=None)


@pytest.mark.parametrize("folder", ["own data", "own calibration"])
def test_changed_data_is_another_bundle(again: Any, tmp_path: Path, folder: str) -> None:
    np.save(tmp_path / folder / "0.npy", np.ones(9, np.float32))
    assert not again()
    truths = json.loads((tmp_path / folder / "truths.json").read_text())
    truths["1.npy"] = next(label for label in toy_model.LABELS if label != truths["1.npy"])
    (tmp_path / folder / "truths.json").write_text(json.dumps(truths))
    assert again() == (folder == "own calibration"), "truths count where they are used"


def test_other_code_of_ours_or_theirs_is_another_bundle(
    again: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = reuse.code_files
    assert Path(toy_model.__file__) in code(job())
    assert {"golden.py", "whisper_base.py", "static.py", "apk.py", "table.py", "trials.py"} <= {
        p.name for p in code(job())
    }
    (tmp_path / "new.py").write_text("x = 1")
    monkeypatch.setattr(reuse, "code_files", lambda job: [*code(job), tmp_path / "new.py"])
    assert not again()
    (tmp_path / "new.py").write_text("x = 2")
    assert not again()


def test_what_an_export_loads_is_among_its_code_and_what_only_reports_is_not(toy: Any, tmp_path: Path) -> None:
    code = """
import sys
from edgekit.pipeline.exporting import export
export(*sys.argv[1:3], weights=sys.argv[3], out=sys.argv[4], data=sys.argv[5])
print("\\n".join(str(m.__file__) for name, m in sys.modules.items() if name.startswith("edgekit.")))
"""
    done = toy.python(code, "toy-speller", "toy-board", str(toy.weights), str(tmp_path / "b"), str(toy.data))
    loaded = {Path(line) for line in done.stdout.splitlines()}
    empty = {path for path in loaded if path.name == "__init__.py"}
    counted = {path.resolve() for path in reuse.code_files(job())}
    assert len(loaded) > 20, done.stderr
    assert {path.resolve() for path in loaded - empty} <= counted
    rooms = {path.parent.name for path in counted}
    assert {"metrics", "statistics", "gate"} <= rooms
    assert not rooms & {"processes", "page", "reports", "comparing", "benchmarking", "cli"}


def test_another_version_of_a_tool_is_another_bundle(again: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(monkeypatch, "torch")
    assert not again()


def upgrade(monkeypatch: pytest.MonkeyPatch, distribution: str) -> None:
    installed = importlib.metadata.version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99" if name == distribution else installed(name))


#: What was once missing in the key, and what decides an export of each format at least.
DECIDING = {
    "qemu": ("tflite-micro", "numpy"),
    "ethos-u": ("ethos-u-vela", "tflite-micro", "numpy"),
    "coreai": ("coreai-core", "coreai-torch", "torch"),
    "qnn": ("onnxruntime-qnn", "torch", "onnx", "onnxscript", "onnxruntime", "numpy"),
    "coreml": ("coremltools", "scikit-learn", "torch"),
    "executorch": ("executorch", "torchao", "torch"),
    "llama-cpp": ("llama-cpp-python",),
    "litert": ("litert-torch", "ai-edge-quantizer", "ai-edge-litert", "torch"),
    "litert-js": ("litert-torch", "ai-edge-quantizer", "ai-edge-litert", "torch"),
    "onnxruntime": ("torch", "onnx", "onnxscript", "onnxruntime", "numpy"),
    "onnxruntime-web": ("torch", "onnx", "onnxscript", "onnxruntime", "numpy"),
    "openvino": ("openvino", "torch", "onnx", "onnxscript", "onnxruntime"),
    "tflite-micro": ("tflite-micro", "torch", "litert-torch"),
    "wllama": ("llama-cpp-python",),
}


@pytest.mark.parametrize(
    "name", [name for name in registry.names("runtimes") if registry.find("runtimes", name).formats]
)
def test_every_distribution_of_every_runtime_is_in_the_key_and_no_other_is(
    toy: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(reuse, "code_files", lambda job: [])  # hashed elsewhere, and slow
    runtime = registry.find("runtimes", name)
    exporter = registry.find("exporters", runtime.formats[0])
    made = replace(job(recipe=recipe_of(name, exporter.precisions[0])), exporter=exporter, runtime=runtime)
    deciding = (*exporter.distributions, *runtime.distributions)
    assert set(DECIDING[name]) <= set(deciding)
    key = reuse.key_of(made, toy.weights)
    installed = host.versions(deciding)
    assert installed
    for distribution in installed:
        with monkeypatch.context() as patch:
            upgrade(patch, distribution)
            assert reuse.key_of(made, toy.weights) != key, distribution
    with monkeypatch.context() as patch:
        upgrade(patch, "pytest")
        assert reuse.key_of(made, toy.weights) == key


@pytest.mark.parametrize(
    ("importer", "distribution"), [("hub", "transformers"), ("", "jiwer"), ("", "whisper-normalizer")]
)
def test_what_makes_the_network_and_what_compares_answers_are_in_the_key(
    toy: Any, monkeypatch: pytest.MonkeyPatch, importer: str, distribution: str
) -> None:
    monkeypatch.setattr(reuse, "code_files", lambda job: [])
    model = replace(toy_model.MODEL, identity=replace(toy_model.MODEL.identity, importer=importer))
    key = reuse.key_of(job(model), toy.weights)
    upgrade(monkeypatch, distribution)
    assert reuse.key_of(job(model), toy.weights) != key


def test_the_machine_is_in_the_key_of_a_limit_of_latency_alone(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [replace(job(), limits=limits) for limits in (None, Limits(size=1000), Limits(latency=0.1))]
    before = [reuse.key_of(one, toy.weights) for one in jobs]
    described = host.describe()
    monkeypatch.setattr("edgekit.bench.machine.host.describe", lambda: {**described, "cpu": "another"})
    after = [reuse.key_of(one, toy.weights) for one in jobs]
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, True, False]


@pytest.mark.parametrize("field", ["pack", "prove", "measure"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "partial"])
def test_a_plugin_targets_own_code_is_in_the_key(
    field: str, wrapped: bool, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / f"board_{field}_{wrapped}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", "utf-8")
    (package / "packing.py").write_text("from .layout import NAME\ndef lay_out(folder): pass\n", "utf-8")
    (package / "layout.py").write_text("NAME = 1\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    function = importlib.import_module(f"{package.name}.packing").lay_out
    made = replace(job(), target=replace(toy_model.TARGET, **{field: partial(function) if wrapped else function}))
    keys = {reuse.key_of(made, toy.weights)}
    for name in ("packing.py", "layout.py"):
        with (package / name).open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        keys.add(reuse.key_of(made, toy.weights))
    assert len(keys) == 3


def test_the_manifest_and_the_bill_of_materials_have_them(bundle: Path) -> None:
    manifest, bill = (json.loads((bundle / name).read_text()) for name in ("manifest.json", "sbom.cdx.json"))
    listed = {tool["name"]: tool["version"] for tool in bill["metadata"]["tools"]["components"]}
    assert listed == manifest["versions"]
    assert {**host.versions(toy_model.EXPORTER.distributions), "edgekit": edgekit.__version__}.items() <= listed.items()
    assert "tokenizers" in listed and not {"openvino", "coremltools", "onnx"} & set(listed)


def job(model: Model = toy_model.MODEL, samples: Any = (), recipe: Recipe | None = None, pack: Any = None) -> Job:
    target = replace(toy_model.TARGET, pack=pack)
    made = recipe or Recipe("toy", "int8", exporter="toy")
    asked = Asked(model.name)
    return Job(model, target, made, toy_model.EXPORTER, toy_model.RUNTIME, AnswerJudge(), asked, (), samples)


def test_a_target_that_packs_has_one_key_in_every_process(toy: Any) -> None:
    assert reuse.key_of(job(pack=lambda folder: None), toy.weights) == reuse.key_of(
        job(pack=lambda folder: 1), toy.weights
    )


def test_declarations_are_in_the_key(toy: Any) -> None:
    model = toy_model.MODEL
    changed = [
        replace(model, task=replace(model.task, evaluation=Evaluation("wer", 0.2, 0.02, 20))),
        replace(model, task=replace(model.task, golden=str(toy_model.HERE / "golden" / "toy-licence.txt"))),
    ]
    keys = {reuse.key_of(job(one), toy.weights) for one in (model, *changed)}
    assert len(keys) == 3
    assert reuse.key_of(job(recipe=Recipe("toy", "int8", {"a": 1})), toy.weights) not in keys


def test_what_a_sample_holds_is_in_the_key(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one")
    one, other = np.zeros(2000, np.float32), np.zeros(2000, np.float32)
    other[1000] = 1
    inputs = [
        one,
        other,
        one.astype(np.int32),
        (one, 16000),
        (one, 8000),
        str(tmp_path / "file"),
        "x" * 5000,
        "a\0b",
        7,
    ]
    keys = [reuse.key_of(job(samples=[Sample(value, "no")]), toy.weights) for value in inputs]
    assert len(set(keys)) == len(inputs)
    (tmp_path / "file").write_text("two")
    changed = reuse.key_of(job(samples=[Sample(tmp_path / "file", "no")]), toy.weights)
    assert changed not in keys


def test_a_damaged_bundle_is_made_again(again: Any, tmp_path: Path) -> None:
    (tmp_path / "b" / "network.toy").write_bytes(b"")
    assert not again()
    edgekit.verify(tmp_path / "b")
    (tmp_path / "b" / "notes.txt").write_text("mine")
    assert not again()
