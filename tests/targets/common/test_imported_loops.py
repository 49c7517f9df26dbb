"""Imported models in apps: of every task with a loop, what an importer makes becomes a module and a package, and the
loop answers as the task's Python does. A task with a loop and without a row below fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL
import pytest
import soundfile
from helpers.devices import jvm
from helpers.devices.jvm import javac, started
from helpers.devices.phone_bundles import changed
from helpers.devices.swift import swift
from helpers.devices.task_loops import declared, self_tested
from numpy.typing import NDArray

import edgekit
from edgekit import registry
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import makers
from edgekit.core import Bundle, Feeds, ImportOptions, Predictor, Runner
from edgekit.errors import Unsupported
from edgekit.importers.common.graphs import TASKS
from edgekit.importers.hub.kinds import KINDS
from edgekit.importers.resolved import model_of
from edgekit.targets.common.apps import apps
from edgekit.targets.common.assets import write_assets

pytestmark = pytest.mark.thorough

PIL_BEFORE_13 = int(PIL.__version__.split(".")[0]) < 13
#: Task with a loop -> imported models that are run through it: architectures of transformers, files of Python.
PROVEN: Mapping[str, tuple[str, ...]] = {
    "image-classification": ("photos.py", "ViT", "DeiT", "ConvNeXt"),
    "feature-extraction": ("MiniLM",),
    "audio-classification": ("HuBERT", "AST"),
    "automatic-speech-recognition": ("Wav2Vec2-CTC",),
    "tensors": ("arrays.py", "graph.onnx", "PatchTST", "Whisper"),
}
#: What a loop lacks of imported models: task, architecture, what its settings of pictures say, and the fact.
LACKING: Sequence[tuple[str, str, dict[str, Any], str]] = (
    ("image-classification", "ViT", {"resample": 1}, "resize.filter"),
    ("feature-extraction", "SigLIP", {}, "tokenizer.whole"),
)
#: Tasks with a loop of which no importer makes a model.
DECLARED = {
    *("audio-speaker-verification", "automatic-music-transcription", "image-segmentation", "image-to-text"),
    *("keypoint-detection", "object-detection", "reinforcement-learning", "text-to-speech", "time-series-forecasting"),
    "voice-activity-detection",
}
SOUNDS, CLASSES = (
    ("audio-classification", "automatic-speech-recognition"),
    ("audio-classification", "image-classification"),
)
#: The first of each task whenever minutes are, the others before a release.
CASES = [
    pytest.param(task, name, marks=() if name == names[0] else pytest.mark.slow)
    for task, names in PROVEN.items()
    for name in names
]
TEXTS = ("A cat sits on the mat.", "Été, naïve! [MASK]", "word " * 300)


def test_every_task_with_a_loop_has_a_row() -> None:
    assert {app.task for app in apps()} == {*PROVEN, *DECLARED}
    assert not DECLARED & {*KINDS, *TASKS}, "an importer makes models of it now: give it a row"


class Fed(Runner):
    """A part that keeps what it is fed."""

    def __init__(self, runner: Runner) -> None:
        self.inputs, self.outputs, self._runner = runner.inputs, runner.outputs, runner
        self.seen: list[Feeds] = []

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.seen.append({name: np.array(value) for name, value in feeds.items()})
        return self._runner(feeds)

    def check(self, near: float) -> None:
        """Every call of the second half was fed what one of the first was, or nearly; forgotten then."""
        half = len(self.seen) // 2
        assert half, "a test of nothing would prove nothing"
        for python, loop in zip(self.seen[:half], self.seen[half : 2 * half], strict=True):
            assert python.keys() == loop.keys()
            for name, values in python.items():
                np.testing.assert_allclose(loop[name], values, atol=near, rtol=0)
        self.seen.clear()


@pytest.fixture(scope="session")
def exported(imported: Callable[[str], str], bundle_of: Callable[..., Bundle]) -> Callable[[str, str, str], Path]:
    """A bundle in fp32, of a row for a target."""

    def export(task: str, name: str, target: str) -> Path:
        runtime = {"android": "onnxruntime", "ios": "coreml"}[target]
        return bundle_of(imported(name), target, runtime=runtime, precision="fp32", task=task).path

    return export


def pipeline(path: Path) -> tuple[Predictor, dict[str, Fed]]:
    """The task's Python over the bundle's parts."""
    bundle = open_bundle(path)
    parts = {part.name: Fed(makers(bundle).runtime.load(path / part.file, 1)) for part in bundle.manifest.parts}
    make = registry.find("tasks", bundle.manifest.model.task).predictor
    assert make is not None
    return make(dict(parts), path, bundle.manifest.facts), parts


def samples(task: str, path: Path) -> Iterator[Any]:
    """Inputs of a bundle: pictures of many forms, texts, arrays."""
    random = np.random.default_rng(5)
    if task == "feature-extraction":
        yield from TEXTS
    elif task in SOUNDS:
        whole, _ = soundfile.read(path / open_bundle(path).manifest.golden.input, dtype="float32")
        for seconds in (0.2, 2.5, 10.5):
            yield whole[: int(seconds * 16_000)]
    elif task == "image-classification":
        for height, width in [(64, 64), (60, 130), (31, 500), (70, 64), (9, 5), (700, 61)]:
            if PIL_BEFORE_13 and height > 100:
                continue  # the other pass came first then
            yield np.repeat(random.integers(0, 256, (height, -(-width // 4), 3), np.uint8), 4, 1)[:, :width]
    else:
        with np.load(path / open_bundle(path).manifest.golden.input) as golden:
            whole = {name: golden[name] for name in golden.files}
        for steps in (3, 5, 9) if "mask" in whole else (0, 0):
            yield {name: drawn(random, array, steps) for name, array in whole.items()}


def drawn(random: Any, like: NDArray[Any], steps: int) -> NDArray[Any]:
    """Other values, and where a case has steps, so many of them."""
    shape = (1, steps, *like.shape[2:]) if steps and like.ndim > 1 and like.dtype != np.uint8 else like.shape
    if like.dtype.kind == "f":
        return random.normal(0, 1, shape).astype(like.dtype)
    return random.integers(0, 2 if like.dtype == bool else 4, shape).astype(like.dtype)


def handed(task: str, sample: Any) -> dict[str, Any]:
    """A sample as an app hands it over."""
    if task == "tensors":
        return {"names": "\n".join(sample), **{f"tensor_{i}": value for i, value in enumerate(sample.values())}}
    return {"text" if task == "feature-extraction" else "audio" if task in SOUNDS else "pixels": sample}


def compare(task: str, expected: Any, answer: Mapping[str, Any]) -> None:
    assert "error" not in answer, answer["error"]
    assert int(answer["open"][0]) == 0, "a loop that ends keeps no memory of the runtime"
    if task == "feature-extraction":
        np.testing.assert_allclose(answer["embedding"], expected.details["embedding"], atol=1e-6)
    elif task == "automatic-speech-recognition":
        assert answer["text"] == expected.output
    elif task in CLASSES:
        listed = expected.details["scores"]
        assert answer["labels"] == "".join(f"{one['class_index']}\t{one['label']}\n" for one in listed)
        np.testing.assert_allclose(answer["scores"], [one["score"] for one in listed], rtol=1e-5)
    else:
        assert answer["names"].split("\n") == [*expected.score]
        for i, array in enumerate(expected.score.values()):
            assert answer[f"tensor {i}"].dtype == array.dtype
            np.testing.assert_array_equal(answer[f"tensor {i}"], array)


@pytest.mark.parametrize("language", ["java", "swift", "javascript"])
@pytest.mark.parametrize(("task", "name"), CASES)
def test_the_loop_answers_as_python_does(
    exported: Callable[[str, str, str], Path],
    loops_in: Callable[[str], str],
    tmp_path: Path,
    task: str,
    name: str,
    language: str,
) -> None:
    """Over what the package holds. The sources of a module compile by themselves."""
    path = exported(task, name, "ios" if language == "swift" else "android")
    if language == "java":
        package = edgekit.package(path, "gradle", out=tmp_path / "made", options={"name": "it"})
        assets = package / "src/main/assets/it"
        (tmp_path / "classes").mkdir()
        javac([*(package / "src/main/java").rglob("*.java")], tmp_path / "classes")
    elif language == "swift":
        package = edgekit.package(path, "swift", out=tmp_path / "made", options={"name": "It"})
        assets = package / "Sources/It/Model"
    else:
        assets = tmp_path / "assets"
        assets.mkdir()
        write_assets(open_bundle(path), assets)
    predictor, parts = pipeline(path)
    with started(language, loops_in(language), assets, dict(parts)) as peer:
        for sample in samples(task, path):
            expected = predictor.predict(sample, **({"top": 5} if task in CLASSES else {}))
            compare(task, expected, peer.ask(task=task, **handed(task, sample)))
            for part in parts.values():  # a sound's mean is summed in another order
                part.check(1e-5 if task in SOUNDS else 0)
        report = self_tested(peer, path)
    assert "error" not in report, report["error"]
    assert report["passed"][0] == 1 and report["said"] == report["expected"] == open_bundle(path).manifest.golden.output


@pytest.mark.parametrize(("task", "name"), [(task, names[0]) for task, names in PROVEN.items()])
def test_the_kotlin_api(
    exported: Callable[[str, str, str], Path], onnx_app: str, tmp_path: Path, task: str, name: str
) -> None:
    path = exported(task, name, "android")
    predictor, parts = pipeline(path)
    api, sample = declared(path).api, next(samples(task, path))
    with jvm.App(onnx_app, tmp_path / "app", path, dict(parts)) as one:
        report = one.jvm.ask(api=api, policy="FIRST_LAUNCH")
        assert "error" not in report and report["passed"][0] == 1, report
        answer = one.jvm.ask(api=api, **handed(task, sample))
    assert "error" not in answer, answer["error"]
    assert answer["native"].tolist() == [0, 0], "every tensor and every session of the runtime is closed"
    expected = predictor.predict(sample)
    if task == "tensors":
        for i, array in enumerate(expected.score.values()):
            np.testing.assert_array_equal(answer[f"tensor {i}"], array)
        assert answer["names"].splitlines()[0] == "values FLOAT32 [1, null, 8] [null, values_1, null]"
    elif task == "automatic-speech-recognition":
        assert answer["text"] == expected.output
    elif task in CLASSES:
        assert answer["labels"].split("\n")[0].split("\t")[1] == expected.output
    else:
        np.testing.assert_allclose(answer["numbers"], expected.details["embedding"], atol=1e-6)


@pytest.mark.parametrize("language", ["java", "swift", "javascript"])
def test_tensors_of_another_name_type_or_shape_are_one_error(
    exported: Callable[[str, str, str], Path], loops_in: Callable[[str], str], tmp_path: Path, language: str
) -> None:
    path = exported("tensors", "arrays.py", "android")
    package = edgekit.package(path, "gradle", out=tmp_path / "made", options={"name": "it"})
    _, parts = pipeline(path)
    sample = next(samples("tensors", path))
    with started(language, loops_in(language), package / "src/main/assets/it", dict(parts)) as peer:

        def said(**changed: Any) -> str:
            given = {name: value for name, value in {**sample, **changed}.items() if value is not None}
            return str(peer.ask(task="tensors", **handed("tensors", given))["error"])

        assert "the input words is missing: it is int64 1 x " in said(words=None)
        assert "no input other" in said(other=np.zeros(1, np.float32))
        assert "the input gain is int64 1; it must be int32 1" in said(gain=np.zeros(1, np.int64))
        assert "the input levels is uint8 1 x 7; it must be uint8 1 x 6" in said(levels=np.zeros((1, 7), np.uint8))
        longer = np.zeros((1, 4), bool)
        assert "the input mask is bool 1 x 4; it must be bool 1 x " in said(mask=longer)
        assert "=3" in said(mask=longer), "the size that the axis has by the inputs before"
        assert not any(part.seen for part in parts.values()), "nothing was run"


def test_a_package_of_tensors_builds_and_passes_its_tests(
    exported: Callable[[str, str, str], Path], tmp_path: Path
) -> None:
    made = edgekit.package(exported("tensors", "arrays.py", "ios"), "swift", out=tmp_path / "made")
    assert "Executed 3 tests, with 0 failures" in swift("test", made)


@pytest.mark.parametrize(("task", "name", "settings", "fact"), LACKING)
def test_what_a_manifest_lacks_is_named(
    imported: Callable[[str], str], tmp_path: Path, task: str, name: str, settings: dict[str, Any], fact: str
) -> None:
    folder = Path(shutil.copytree(imported(name), tmp_path / "network"))
    stated = folder / "preprocessor_config.json"
    stated.write_text(json.dumps({**json.loads(stated.read_text("utf-8")), **settings}), "utf-8")
    model = model_of(str(folder), ImportOptions(task=task))
    facts = model.weights.prepare(None, Path())  # type: ignore[arg-type]  # the hub's reads its plan alone
    manifest = SimpleNamespace(facts=facts, parts=model.network.parts)
    (app,) = (app for app in apps() if app.task == task)
    assert any(f"its fact {fact!r} is" in why for why in app.lacking(manifest)), app.lacking(manifest)


def test_the_error_says_what_to_do(exported: Callable[[str, str, str], Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exported("image-classification", "ViT", "android"), tmp_path / "vit"))
    facts = open_bundle(copy).manifest.facts
    changed(copy, facts={**facts, "resize": {**facts["resize"], "filter": "lanczos"}})
    with pytest.raises(Unsupported, match=r"its fact 'resize\.filter' is 'lanczos'") as caught:
        edgekit.package(copy, "gradle", out=tmp_path / "made")
    assert "--task tensors" in caught.value.hint and not (tmp_path / "made").exists()
