"""The loops for phones on real weights and real inputs: 20 of each task, beside the pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices.jvm import App, Peer, started
from helpers.devices.spoken_stream import same_stream, still, streamed
from helpers.devices.task_loops import self_tested
from helpers.toys.voices import SPEEDS, VOICES, spoken

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import makers
from edgekit.core import Bundle, Feeds, Runner
from edgekit.targets.common.assets import write_assets
from edgekit.tasks.common.audio import open_audio

pytestmark = pytest.mark.real

COUNT = 20
Opened = tuple[Any, list[Peer], Path]


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("swift", "javascript")]


@pytest.fixture(scope="module", params=["java", *OTHERS])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def opened(
    loops_in: Callable[[str], str], language: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Opened]]:
    """A bundle's Python pipeline, and loops that call the same parts, in all languages or some."""
    running: list[Peer] = []

    def give(path: Path, languages: Sequence[str] = (language,)) -> Opened:
        bundle, assets = open_bundle(path), tmp_path_factory.mktemp("assets")
        write_assets(bundle, assets)
        runtime = makers(bundle).runtime
        peers = []
        for one in languages:
            parts = {part.name: runtime.load(path / part.file, 2) for part in bundle.manifest.parts}
            peers.append(started(one, loops_in(one), assets, parts))
        running.extend(peers)
        return edgekit.load(path, threads=2), peers, assets

    yield give
    for one in running:
        one.__exit__()


@pytest.fixture(scope="session")
def exported(bundle_of: Callable[..., Bundle]) -> Callable[..., Path]:
    return lambda model, **options: bundle_of(model, "android", **options).path


def samples(file: Path) -> Any:
    return open_audio(file, 16_000).window(0, 16_000 * 3600)


def test_whisper(
    opened: Callable[..., Opened], int8_bundle: Any, speech: list[tuple[Path, str]], shared_data: Path
) -> None:
    files = [file for file, _ in speech]
    files += sorted((shared_data / "librispeech-test-other").rglob("*.flac"), key=lambda file: file.stat().st_size)
    predictor, peers, _ = opened(int8_bundle.path)
    for i, file in enumerate(files[:COUNT]):
        timestamps = i % 2 == 1
        expected = predictor.predict(file, timestamps=timestamps)
        segments = [f"{s['start']}\t{s['end']}\t{s['text']}" for s in expected.details["segments"]]
        for peer in peers:
            answer = peer.ask(audio=samples(file), **({"timestamps": np.zeros(0, np.int64)} if timestamps else {}))
            assert answer["text"] == expected.output and answer["language"] == expected.details["language"]
            assert answer["segments"].splitlines() == segments
            assert answer["fallbacks"].splitlines() == expected.details["fallbacks"]


def test_the_times_of_words(opened: Callable[..., Opened], exported: Callable[..., Path], shared_data: Path) -> None:
    """The same words at the same times, within a millisecond."""
    predictor, peers, _ = opened(exported("whisper-tiny-en"))
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"), key=lambda file: file.stat().st_size)
    for file in files[:COUNT]:
        words = predictor.predict(file, words=True).details["words"]
        times = [(word["start"], word["end"]) for word in words]
        for peer in peers:
            answer = peer.ask(audio=samples(file), words=np.zeros(0, np.int64))
            told = [line.split("\t") for line in answer["words"].splitlines()]
            assert [word for word, *_ in told] == [word["word"] for word in words] and words
            np.testing.assert_allclose([[float(v) for v in line[1:3]] for line in told], times, rtol=0, atol=1e-3)


def test_streams(
    opened: Callable[..., Opened], int8_bundle: Any, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clips one behind the other in odd chunks, on a clock that stands still: the same events, the same words."""
    from edgekit.models.whisper.loop import stream as streaming

    monkeypatch.setattr(streaming, "time", still())
    predictor, [peer], _ = opened(int8_bundle.path)
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"), key=lambda file: file.stat().st_size)
    heard = 0
    for pair, options in ((files[5:20:14], {"language": "en"}), (files[10:11], {}), (files[35:36], {"vad": False})):
        audio = np.concatenate([samples(file) for file in pair])
        events, whole = streamed(predictor, audio, [700, 1600], **options)
        given = {"vad": np.array([0])} if "vad" in options else options
        same_stream(events, whole, peer.ask(audio=audio, chunks=np.array([700, 1600]), **given))
        heard += len(whole.details["words"])
    assert heard > 30, "a test of silence would prove nothing"


def test_pictures(opened: Callable[..., Opened], exported: Callable[..., Path], shared_data: Path) -> None:
    from edgekit.tasks.common import pictures

    path = exported("efficientnet-lite0", precision="fp16")
    predictor, peers, _ = opened(path)
    facts = open_bundle(path).manifest.facts
    resize, height, width = facts.get("resize"), facts["height"], facts["width"]
    files = pictures.images_below(shared_data / "imagenet-sample")
    for file in files[:: len(files) // COUNT][:COUNT]:
        expected = predictor.predict(file)
        listed = [f"{one['class_index']}\t{one['label']}" for one in expected.details["scores"]]
        scores = [one["score"] for one in expected.details["scores"]]
        for peer in peers:
            answer = peer.ask(pixels=np.asarray(pictures.open_image(file)[0], np.uint8))
            assert np.array_equal(answer["fitted"], pictures.pixels_of(file, resize, height, width)[0].reshape(-1)), (
                "the same, bit for bit"
            )
            assert answer["labels"].splitlines() == listed
            np.testing.assert_allclose(answer["scores"], scores, atol=1e-6)


def test_voices(opened: Callable[..., Opened], exported: Callable[..., Path], shared_data: Path) -> None:
    predictor, peers, _ = opened(exported("ge2e-speaker"))
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"))
    made = []
    for file in files[:: len(files) // COUNT][:COUNT]:
        expected = predictor.predict(file).details["embedding"]
        for peer in peers:
            made.append(peer.ask(audio=samples(file))["embedding"])
            np.testing.assert_allclose(made[-1], expected, atol=1e-5)
    wanted = predictor.predict((files[0], files[len(files) // COUNT])).details["score"]
    assert abs(float(made[0] @ made[len(peers)]) - wanted) < 1e-5


@pytest.mark.parametrize("model", ["okay-nabu", "openwakeword-hey-jarvis", "ds-cnn-kws"])
def test_words(
    opened: Callable[..., Opened], exported: Callable[..., Path], tmp_path: Path, model: str, language: str
) -> None:
    if model == "okay-nabu" and language == "swift":
        return  # Core ML cannot take its network
    languages = (language,)
    predictor, peers, _ = opened(exported(model), languages)
    say = {"okay-nabu": "okay nabu", "openwakeword-hey-jarvis": "hey jarvis"}.get(model, "left, stop, yes")
    cases = [(voice, speed) for voice in VOICES for speed in SPEEDS] + [("en-us", 110), ("en-gb", 220)]
    heard = 0
    for i, (voice, speed) in enumerate(cases[:COUNT]):
        sound = spoken(say, voice, speed, tmp_path).astype(np.float32) / np.float32(32768)
        events = predictor.predict(sound).details["events"]
        for peer in peers:
            answer = peer.ask(audio=sound, piece=np.array([(160, 1000, 7777, 10**9)[i % 4]]))
            assert answer["events"].splitlines() == [f"{e['word']}\t{e['time']}\t{e['score']}" for e in events]
        heard += len(events)
    assert heard > 2, "a test of silence would prove nothing"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["swift"], indirect=True)
def test_whisper_as_core_ml_has_it(
    opened: Callable[..., Opened], speech: list[tuple[Path, str]], tmp_path: Path, language: str
) -> None:
    """Its decoder's caches begin with a blank entry, and the Swift loop gives it one; the programs are interpreted."""
    path = edgekit.export("whisper-base", "ios", out=tmp_path / "ios", fallback=False, evidence=False).path
    predictor, [peer], _ = opened(path)
    assert open_bundle(path).manifest.facts["blanks"] == 1
    report = self_tested(peer, path)
    assert report["passed"][0] == 1, report
    for file, _ in speech[:3]:
        expected, answer = predictor.predict(file), peer.ask(audio=samples(file))
        assert answer["text"] == expected.output and len(expected.output) > 10


@pytest.mark.slow
@pytest.mark.parametrize("language", ["swift"], indirect=True)
@pytest.mark.parametrize("model", ["efficientnet-lite0", "ge2e-speaker", "ds-cnn-kws", "openwakeword-hey-jarvis"])
def test_the_self_test_in_swift(
    opened: Callable[..., Opened], exported: Callable[..., Path], model: str, language: str
) -> None:
    """The golden input through the class that an app sees; with a part that does something else, it fails."""
    path = exported(model, **({"precision": "fp16"} if model.startswith("efficientnet") else {}))
    _, [peer], _ = opened(path)
    report = self_tested(peer, path)
    assert report["passed"][0] == 1 and 0 <= report["worst"][0] < 0.6, report
    assert report["parts"].split() == sorted(part.name for part in open_bundle(path).manifest.parts)
    last = next(reversed(peer.runners))
    peer.runners[last] = Negated(peer.runners[last])
    assert self_tested(peer, path)["passed"][0] == 0


class Negated(Runner):
    """A part whose answers have the wrong sign."""

    def __init__(self, runner: Any) -> None:
        self._runner, self.inputs, self.outputs = runner, runner.inputs, runner.outputs

    def __call__(self, feeds: Feeds) -> dict[str, Any]:
        return {name: -value for name, value in self._runner(feeds).items()}


#: A user's own classifier, without a rule for pictures.
OWN = """
import numpy as np, torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU())
        self.last = nn.Linear(64, 4)
    def forward(self, pixels):
        return self.last(self.body(pixels.permute(0, 3, 1, 2).float() / 255).mean((2, 3)))
def build(): return Net()
def examples():
    rng = np.random.default_rng(0)
    for _ in range(16):
        yield np.clip(rng.normal(128, 40, (1, 1, 1, 3)) + rng.normal(0, 30, (1, 48, 64, 3)), 0, 255).astype(np.uint8)
labels = ["ant", "bee", "cat", "dog"]
"""


@pytest.mark.parametrize(
    ("api", "model"),
    [
        ("Classifier", "efficientnet-lite0"),
        ("Classifier", "vit-fashion"),
        ("Classifier", ""),
        ("SpeakerVerifier", "ge2e-speaker"),
        ("WakeWordDetector", "ds-cnn-kws"),
        ("WakeWordDetector", "okay-nabu"),
    ],
)
def test_the_api_on_real_weights(
    exported: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest, api: str, model: str
) -> None:
    """The golden input through the Kotlin API: its own self-test passes, and it answers as the pipeline does."""
    if model:
        path = exported(model, **({"precision": "fp16"} if api == "Classifier" else {}))
    else:
        (tmp_path / "own.py").write_text(OWN)
        options: dict[str, Any] = {"task": "image-classification", "out": tmp_path / "own"}
        path = edgekit.export(f"{tmp_path / 'own.py'}:build", "android", **options).path
    bundle = open_bundle(path)
    runtime = makers(bundle).runtime
    parts = {part.name: runtime.load(path / part.file, 2) for part in bundle.manifest.parts}
    app = request.getfixturevalue("litert_app" if runtime.name == "litert" else "onnx_app")
    golden = path / bundle.manifest.golden.input
    expected = edgekit.load(path, threads=2).predict(golden)
    with App(app, tmp_path / "app", path, parts) as one:
        report = one.jvm.ask(api=api, policy="FIRST_LAUNCH")
        assert "error" not in report and report["passed"][0] == 1, report
        assert report["parts"].split() == [part.name for part in bundle.manifest.parts]
        if api == "Classifier":
            from edgekit.tasks.common import pictures

            answer = one.jvm.ask(api=api, pixels=np.asarray(pictures.open_image(golden)[0], np.uint8))
            listed = [f"{one['class_index']}\t{one['label']}" for one in expected.details["scores"]]
            assert answer["labels"].splitlines() == listed and report["answer"] == report["expected"]
            return
        answer = one.jvm.ask(api=api, audio=samples(golden))
        if api == "SpeakerVerifier":
            np.testing.assert_allclose(answer["embedding"], expected.details["embedding"], atol=1e-5)
            return
        events = expected.details["events"]
        assert answer["events"].splitlines() == [f"{e['word']}\t{e['time']}\t{e['score']}" for e in events]
        assert report["answer"] == ", ".join(f"{e['word']} at {e['time']:.2f} s" for e in events) and events
