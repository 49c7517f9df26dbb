"""The loops of tasks on real weights and the recorded samples that judge the models, beside the tasks' Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices import jvm
from helpers.devices.jvm import Peer, started
from helpers.devices.task_loops import declared, self_tested

import edgekit
from edgekit import registry
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import makers
from edgekit.core import Bundle, Feeds, Prediction, Runner
from edgekit.gate.evidence import samples_of_evidence
from edgekit.numerics.parity import FLOATS
from edgekit.targets.common.assets import write_assets
from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.common.pictures import open_image
from edgekit.tasks.reinforcement_learning import observations_in
from edgekit.tasks.resolved import evidence_of
from edgekit.tasks.time_series_forecasting.series import series_of

pytestmark = pytest.mark.real

MODELS = (
    *("silero-vad", "ant-policy", "blazeface", "selfie-segmentation", "pose-landmarks", "hand-landmarks", "fracast"),
    *("all-minilm-l6-v2", "basic-pitch", "pp-ocr-v4", "piper-joe"),
)
Opened = tuple[Any, Peer, Path]


@pytest.fixture(
    scope="module", params=["java", *(pytest.param(name, marks=pytest.mark.slow) for name in ("swift", "javascript"))]
)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def program(language: str, loops_in: Callable[[str], str]) -> str:
    return loops_in(language)


@pytest.fixture(scope="session")
def exported(bundle_of: Callable[..., Bundle]) -> Callable[..., Path]:
    def export(model: str, runtime: str | None = None) -> Path:
        return bundle_of(model, "android", **({"runtime": runtime} if runtime else {})).path

    return export


@pytest.fixture(params=MODELS)
def opened(
    request: pytest.FixtureRequest, exported: Callable[[str], Path], program: str, language: str, tmp_path: Path
) -> Iterator[Opened]:
    """A bundle's Python pipeline, and the loops over the same parts."""
    path = exported(request.param)
    with loops_over(path, language, program, tmp_path / "assets") as peer:
        yield edgekit.load(path, threads=1), peer, path


def loops_over(path: Path, language: str, program: str, assets: Path) -> Peer:
    """The loops over the parts of a bundle, which run here."""
    bundle = open_bundle(path)
    assets.mkdir()
    write_assets(bundle, assets)
    parts = {part.name: makers(bundle).runtime.load(path / part.file, 1) for part in bundle.manifest.parts}
    return started(language, program, assets, parts)


class Displaced(Runner):
    """A part whose answers are a share of themselves away from what they were, one up and one down."""

    def __init__(self, runner: Any, share: float) -> None:
        self._runner, self.inputs, self.outputs, self._share = runner, runner.inputs, runner.outputs, share

    def __call__(self, feeds: Feeds) -> dict[str, Any]:
        return {name: self._displace(value) for name, value in self._runner(feeds).items()}

    def _displace(self, value: Any) -> Any:
        if value.dtype.kind != "f":
            return value
        far = self._share * np.sqrt(np.square(value, dtype=np.float64).mean())
        return (value + np.resize([far, -far], value.shape)).astype(value.dtype)

    def reset(self) -> None:
        self._runner.reset()


def pixels(sample: Any) -> Any:
    return sample if hasattr(sample, "dtype") else np.asarray(open_image(sample)[0], np.uint8)


def handed_over(task: str, sample: Any) -> dict[str, Any]:
    """A sample as an app hands it over."""
    if task == "voice-activity-detection":
        return {"audio": open_audio(sample, 16_000).window(0, 16_000 * 3600), "piece": np.array([480])}
    if task == "automatic-music-transcription":
        return {"audio": open_audio(sample, 22_050).window(0, 22_050 * 3600)}
    if task == "feature-extraction":
        return {"text": sample}
    if task == "text-to-speech":
        return {"text": sample}
    if task in ("reinforcement-learning", "time-series-forecasting"):
        return {"numbers": np.asarray(sample, np.float32)}
    return {"pixels": pixels(sample)}


def same(task: str, expected: Prediction, answer: dict[str, Any]) -> int:
    """Whether the loop answers as Python does; how much there was to compare."""
    assert "error" not in answer, answer["error"]
    assert int(answer["open"][0]) == 0
    details = expected.details
    if task == "voice-activity-detection":
        spans = [edge for span in details["speech"] for edge in (span["start"], span["end"])]
        np.testing.assert_array_equal(answer["spans"], np.asarray(spans, np.float32))
        np.testing.assert_array_equal(answer["probabilities"], np.asarray(details["probabilities"], np.float32))
        assert answer["text"] == expected.output
        return len(spans)
    if task == "automatic-music-transcription":
        rows = [[note[name] for name in ("start", "end", "pitch", "velocity")] for note in expected.metric_input]
        np.testing.assert_array_equal(answer["numbers"], np.asarray(rows, np.float32).reshape(-1))
        assert answer["text"] == expected.output
        return len(rows)
    if task == "text-to-speech":
        assert answer["sentences"].split("\t") == details["phonemes"] and answer["text"] == expected.output
        np.testing.assert_allclose(answer["samples"], expected.score, atol=1e-5)
        return 1
    if task == "reinforcement-learning":
        np.testing.assert_array_equal(answer["applied"], np.asarray(details["applied"][0], np.float32))
        return 1
    if task == "image-to-text":
        rows = [[line["score"], *np.reshape(line["corners"], -1)] for line in details["texts"]]
        np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(rows), -1), rtol=1e-4, atol=1e-2)
        assert answer["text"] == expected.output
        return len(rows)
    if task == "image-segmentation":
        np.testing.assert_array_equal(answer["pixels"], expected.metric_input)
        assert answer["text"] == expected.output
        return int((expected.metric_input > 0).any())
    if task == "time-series-forecasting":
        far = np.abs(answer["quantiles"] - np.reshape(details["quantiles"], -1)).max() / details["range"]
        assert far < 1e-5, far
        return 1
    if task == "feature-extraction":
        np.testing.assert_allclose(answer["embedding"], details["embedding"], atol=1e-6)
        return 1
    things = details["boxes"] if task == "object-detection" else expected.metric_input
    rows = [[thing["score"], *thing.get("box", []), *np.reshape(thing["points"], -1)] for thing in things]
    np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(rows), -1), rtol=1e-6, atol=1e-3)
    assert answer["text"] == expected.output
    return len(things)


def test_recorded_samples_and_the_self_test(opened: Opened, request: pytest.FixtureRequest) -> None:
    """Every judged sample; then the golden input, which fails with a part that is further from fp32 than it was: 5 %
    where it computes in float, else twice its usual distance."""
    predictor, peer, path = opened
    manifest = open_bundle(path).manifest
    task, evidence = manifest.model.task, evidence_of(registry.find("models", manifest.model.name))
    assert evidence is not None
    samples = list(samples_of_evidence(evidence, lambda what, done, total: None))
    compared = 0
    for sample in samples[len(samples) // 2 :]:
        value = sample.input
        if task == "reinforcement-learning":
            for row in value[:3]:
                compared += same(task, predictor.predict(row), peer.ask(task=task, **handed_over(task, row)))
            continue
        if task == "time-series-forecasting":
            value = np.asarray(value, np.float32)  # as it is handed over
        compared += same(task, predictor.predict(value), peer.ask(task=task, **handed_over(task, value)))
    assert compared >= 5, "a test of nothing would prove nothing"
    report = self_tested(peer, path)
    assert "error" not in report, report["error"]
    assert report["passed"][0] == 1 and report["said"] == report["expected"] == manifest.golden.output, report
    assert report["parts"].split() == sorted(part.name for part in manifest.parts)
    for part, runner in dict(peer.runners).items():
        known = manifest.golden.errors[part]
        in_float = manifest.recipe.precision in FLOATS or known < 1e-3
        peer.runners[part] = Displaced(runner, 0.05 if in_float else 2 * known)
        wrong = self_tested(peer, path)
        assert "error" in wrong or wrong["passed"][0] == 0, part
        peer.runners[part] = runner


@pytest.mark.slow
@pytest.mark.parametrize("language", ["swift"], indirect=True)
@pytest.mark.parametrize("model", MODELS)
def test_as_core_ml_has_them(language: str, program: str, tmp_path: Path, model: str) -> None:
    """The ios bundle, whose programs are interpreted: the golden input by the class that an app sees."""
    path = edgekit.export(model, "ios", out=tmp_path / "ios", evidence=False).path
    with loops_over(path, language, program, tmp_path / "assets") as peer:
        report = self_tested(peer, path)
    assert "error" not in report and report["passed"][0] == 1, report
    assert report["said"] == report["expected"] == open_bundle(path).manifest.golden.output


def shown(task: str, expected: Prediction) -> Any:
    """The answer as numbers, as the class that an app sees has them."""
    details = expected.details
    if task == "voice-activity-detection":
        return [edge for span in details["speech"] for edge in (span["start"], span["end"])]
    if task == "automatic-music-transcription":
        return [note[name] for note in expected.metric_input for name in ("start", "end", "pitch", "velocity")]
    if task == "image-to-text":
        return [number for line in details["texts"] for number in (line["score"], *np.reshape(line["corners"], -1))]
    if task == "text-to-speech":
        return expected.score
    if task == "image-segmentation":
        return (
            np.bincount(expected.metric_input.reshape(-1), minlength=len(details["labels"]))
            / expected.metric_input.size
        )
    if task in ("object-detection", "keypoint-detection"):
        things = details["boxes"] if task == "object-detection" else expected.metric_input
        return [
            value
            for thing in things
            for value in (thing["score"], *thing.get("box", []), *np.reshape(thing["points"], -1))
        ]
    names = {
        "reinforcement-learning": "applied",
        "time-series-forecasting": "quantiles",
        "feature-extraction": "embedding",
    }
    return np.reshape(details[names[task]], -1)


# LiteRT has 32 bits where the loops of sentences have whole numbers of 64.
@pytest.mark.parametrize(("model", "exporter"), [*((model, None) for model in MODELS), ("all-minilm-l6-v2", "litert")])
def test_the_kotlin_api(
    exported: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest, model: str, exporter: str | None
) -> None:
    """The golden input through the Kotlin class: its own self-test passes, and it answers as Python does."""
    path = exported(model, exporter)
    bundle = open_bundle(path)
    task, golden = bundle.manifest.model.task, path / bundle.manifest.golden.input
    api = declared(path).api
    parts = {part.name: makers(bundle).runtime.load(path / part.file, 1) for part in bundle.manifest.parts}
    sample = observations_in(golden)[0] if task == "reinforcement-learning" else golden
    handed = series_of(golden) if task == "time-series-forecasting" else sample
    handed = golden.read_text().strip("\n") if task in ("feature-extraction", "text-to-speech") else handed
    app = request.getfixturevalue(f"{exporter or 'onnx'}_app")
    with jvm.App(app, tmp_path / "app", path, parts) as one:
        report = one.jvm.ask(api=api, policy="FIRST_LAUNCH")
        assert "error" not in report and report["passed"][0] == 1, report
        assert report["answer"] == report["expected"] == bundle.manifest.golden.output
        answer = one.jvm.ask(api=api, **handed_over(task, handed))
        assert "error" not in answer, answer["error"]
        wanted = np.asarray(shown(task, edgekit.load(path, threads=1).predict(sample)), np.float32)
        np.testing.assert_allclose(answer["numbers"], wanted, rtol=1e-5, atol=1e-3 if wanted.max() > 10 else 1e-5)
