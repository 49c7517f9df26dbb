"""The loops for phones, in Java and in Swift, beside the pipelines: the same texts, pixels and random numbers. Toys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from helpers.cases.whisper_cases import Phrase, sound
from helpers.devices import jvm, swift
from helpers.devices.jvm import JAVA, Peer, started
from helpers.toys.toy_whisper import EOT, VOCABULARY, Fake, ScriptedDecoder, ToyWhisper, says
from PIL import Image

from edgekit.core import Runner
from edgekit.models.speaker.pipeline import EcapaVerifier, Ge2eVerifier
from edgekit.targets.common.assets import vocabulary
from edgekit.targets.ios.swift import TEMPLATES

Start = Callable[[Path, dict[str, Runner]], Peer]
PIL_BEFORE_13 = int(PIL.__version__.split(".")[0]) < 13


@pytest.fixture(scope="module", params=["java", "swift"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """The loops in both languages."""
    make = {"java": jvm.loops, "swift": swift.loops}[request.param]
    return partial(started, request.param, make(tmp_path_factory.mktemp(request.param)))


class Whisper:
    """One program for all tests of the toy: each gives its own decoder."""

    def __init__(self, toy: ToyWhisper, folder: Path, start: Start, **facts: Any) -> None:
        self.toy, self.runners = toy, dict[str, Runner]()
        facts = {**toy.facts, **facts}
        spec = {"name": "past_key_0", "dtype": "float32", "shape": ["hypotheses", 1, "past", 1]}
        parts = [
            {"name": name, "file": name, "inputs": [spec] if name == "decoder" else [], "outputs": []}
            for name in ("frontend", "encoder", "decoder")
        ]
        told = {"model": "toy", "family": "whisper", "precision": "fp32", "limit": 0.1, "answer": "", "parts": parts}
        (folder / "model.json").write_text(json.dumps({**told, "facts": facts}))
        (folder / "vocabulary.bin").write_bytes(vocabulary(toy.folder / "tokenizer.json", EOT))
        self.peer = start(folder, self.runners)

    def both(self, make: Any, audio: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The Python pipeline's prediction, and the loops' answer, each with a decoder of its own."""
        transcriber, _ = self.toy.transcriber(make())
        expected = transcriber.predict(audio, **options)
        _, sounds = self.toy.transcriber(make())
        self.runners |= {"frontend": sounds.frontend, "encoder": sounds.encoder, "decoder": make()}
        given = {"language": options["language"]} if "language" in options else {}
        given |= {"timestamps": np.zeros(0, np.int64)} if options.get("timestamps") else {}
        given |= {"translate": np.zeros(0, np.int64)} if options.get("task") == "translate" else {}
        return expected, self.peer.ask(audio=audio, **given)


@pytest.fixture(scope="module")
def whisper(toy_whisper: ToyWhisper, tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[Whisper]:
    one = Whisper(toy_whisper, tmp_path_factory.mktemp("toy"), start)
    with one.peer:
        yield one


def same(expected: Any, answer: Mapping[str, Any]) -> None:
    """The text, the language, the segments, the windows and the fallbacks."""
    assert "error" not in answer, answer["error"]
    details = expected.details
    assert answer["text"] == expected.output
    assert answer["language"] == details["language"]
    segments = [f"{one['start']}\t{one['end']}\t{one['text']}" for one in details["segments"]]
    assert answer["segments"].splitlines() == [line.replace("\t0\t", "\t0.0\t") for line in segments]
    np.testing.assert_allclose(answer["windows"], details["windows"])
    ours = [f"{line[:-2]}.0" if line.endswith(" 1.0") else line for line in answer["fallbacks"].splitlines()]
    assert [line.removesuffix(".0") for line in ours] == [line.removesuffix(".0") for line in details["fallbacks"]]
    assert int(answer["open"][0]) == 0, "a loop that ends keeps no memory of the runtime"


CASES: dict[str, tuple[float, list[tuple[Any, ...]], dict[str, Any]]] = {
    "short": (3.0, [("hello.",)], {"language": "en"}),
    "detected": (3.0, [("hello.",)], {}),
    "translated": (3.0, [("hello.",)], {"language": "de", "task": "translate"}),
    "segments": (3.0, [(0.0, "one", 1.0, 1.5, "two", 2.5)], {"timestamps": True}),
    "past the end": (3.0, [(0.0, "one", 2.0, 2.0, "two", 9.0)], {"timestamps": True}),
    "long": (62.0, [(0.0, "one", 10.0, 10.0, "thr"), (0.0, "three", 12.0), (0.0, "four", 5.0, 5.0, "five", 9.0)], {}),
    "no pair": (45.0, [(0.0, "all of it"), (0.0, "more", 8.0)], {}),
    "an echo": (3.0, [("and so and so",), ("and so",)], {}),
    "repetitive": (3.0, [("la " * 40,), ("la la",)], {}),
    "umlauts": (3.0, [("schön, naïve ♪ 日本語 🙂",)], {}),
    "half a letter": (3.0, [("\u3000 é ",)], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_whisper_says_the_same(whisper: Whisper, say: Phrase, case: str) -> None:
    seconds, answers, options = CASES[case]
    same(*whisper.both(lambda: says([say(*one) for one in answers]), sound(seconds), **options))


def test_caches_that_begin_with_a_blank(toy_whisper: ToyWhisper, say: Phrase, tmp_path: Path, start: Start) -> None:
    one = Whisper(toy_whisper, tmp_path, start, blanks=1)
    answers = [say(0.0, "one", 1.0, 1.5, "two", 2.5)]
    with one.peer:
        same(*one.both(lambda: says(answers, blanks=1), sound(3.0), timestamps=True))


@pytest.mark.parametrize("no_speech", [0.3, 0.9])
def test_improbable_words_are_sampled_alike(whisper: Whisper, say: Phrase, no_speech: float) -> None:
    """At 6 a token has a share of 19 %: every temperature is tried, with numpy's own random numbers."""
    same(*whisper.both(lambda: says([say("word")] * 8, weight=6.0, no_speech=no_speech), sound(20.0), timestamps=True))


@pytest.mark.parametrize("seed", range(6))
def test_any_logits_are_ruled_alike(whisper: Whisper, seed: int) -> None:
    """Logits that are a function of what was fed: words and timestamps in any order that the rules allow."""

    def make() -> ScriptedDecoder:
        def script(fed: list[int]) -> Any:
            rng = np.random.default_rng([seed, len(fed), sum(fed) % 65_536])
            logits = rng.normal(0, 4, VOCABULARY).astype(np.float32)
            logits[EOT] += 8
            return logits

        return ScriptedDecoder(script)

    same(*whisper.both(make, sound(40.0 if seed % 2 else 5.0), timestamps=bool(seed % 3), language="en"))


def test_silence_and_what_is_no_sound(whisper: Whisper, say: Phrase) -> None:
    quiet = np.zeros(40 * 16_000, np.float32)
    expected, answer = whisper.both(lambda: says([say("x")]), quiet, language="en")
    assert answer["text"] == expected.output == "" and len(answer["windows"]) == 0
    assert "too short" in whisper.peer.ask(audio=quiet[:1000])["error"]
    assert "not among" in whisper.peer.ask(audio=sound(1.0), language="xx")["error"]
    assert "not numbers" in whisper.peer.ask(audio=np.full(16_000, np.nan, np.float32))["error"]


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_a_loop_that_is_cancelled_keeps_no_memory(whisper: Whisper, say: Phrase, after: int) -> None:
    _, sounds = whisper.toy.transcriber(says([]))
    whisper.runners |= {"frontend": sounds.frontend, "encoder": sounds.encoder, "decoder": says([say("hello.")])}
    answer = whisper.peer.ask(audio=sound(3.0), cancel_after=np.array([after]))
    assert "Cancellation" in answer["error"] and int(answer["open"][0]) == 0


def test_tokens_become_the_same_text(whisper: Whisper, toy_whisper: ToyWhisper) -> None:
    from edgekit.models.whisper.loop.tokens import Tokens

    tokens, rng = Tokens(toy_whisper.folder / "tokenizer.json"), np.random.default_rng(5)
    for _ in range(200):
        ids = rng.integers(0, VOCABULARY, 12)
        answer = whisper.peer.ask(decode=ids)
        text = tokens.text(ids.tolist())
        assert answer["text"] == text and answer["stripped"] == text.strip()


def test_random_numbers_are_numpys(whisper: Whisper) -> None:
    for seed in (0, 1, 5, 2**31 - 1):
        drawn = whisper.peer.ask(seed=np.array([seed]))["gumbel"]
        np.testing.assert_array_equal(drawn, np.random.default_rng(seed).gumbel(size=1000).astype(np.float32))


@pytest.mark.parametrize("filters", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC], ids=["bilinear", "bicubic"])
def test_pictures_are_resized_as_pillow_does(whisper: Whisper, filters: Image.Resampling) -> None:
    rng = np.random.default_rng(1)
    sizes = [(1, 1), (3, 500), (500, 3), (224, 224), (37, 41), (640, 480)]
    for height, width in sizes:
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        for high, wide in [(224, 224), (1, 7), (width, height), (height, 2 * width + 1)]:
            if PIL_BEFORE_13 and height - high > max(0, 2 * (width - wide)):
                continue  # the other pass came first then
            which = np.array([high, wide, 0 if filters is Image.Resampling.BILINEAR else 1])
            made = whisper.peer.ask(pixels=pixels, resize=which)["pixels"]
            wanted = np.asarray(Image.fromarray(pixels).resize((wide, high), filters))
            np.testing.assert_array_equal(made, wanted.reshape(-1), err_msg=f"{height}x{width} to {high}x{wide}")


@pytest.mark.parametrize("kind", ["windows", "stretches"])
def test_voices_of_any_length(tmp_path: Path, start: Start, kind: str) -> None:
    """Both ways to cut a clip, at lengths around their edges; the parts answer with sums of what they are given."""
    facts: dict[str, Any] = {"threshold": {"value": 0.6}}
    facts |= {"window": {"least": 8_000, "most": 40_000}} if kind == "windows" else {}
    rules = {"frames": 160, "step": 77, "hop": 160, "coverage": 0.75, "batch": 3}
    facts |= {"stretch": rules} if kind == "stretches" else {}

    def features(feeds: Any) -> dict[str, Any]:
        audio = feeds["audio"].astype(np.float64)
        sums = [audio[:, i::5].sum(axis=1) * (i + 1) for i in range(5)]
        return {"features": np.stack(sums, axis=1).astype(np.float32) + feeds.get("loudness", np.zeros(1, np.float32))}

    def embedding(feeds: Any) -> dict[str, Any]:
        values = feeds["features"] + np.float32(0.01)
        return {"embedding": values / np.linalg.norm(values, axis=1, keepdims=True)}

    parts: dict[str, Any] = {"frontend": Fake(features), "network": Fake(embedding)}
    audio = {"name": "audio", "dtype": "float32", "shape": ["clips", 159 * 160 + 400]}
    listed = [{"name": name, "file": name, "inputs": [audio], "outputs": []} for name in parts]
    told = {"model": "toy", "family": "speaker", "precision": "fp32", "limit": 0.1, "answer": "", "parts": listed}
    (tmp_path / "model.json").write_text(json.dumps({**told, "facts": facts}))
    python = (EcapaVerifier if kind == "windows" else Ge2eVerifier)(parts, tmp_path, facts)
    rng = np.random.default_rng(2)
    with start(tmp_path, parts) as peer:
        for length in (4_000, 7_999, 8_001, 25_600, 25_601, 38_000, 40_000, 40_001, 61_440, 80_001, 333_333):
            clip = rng.normal(0.02, 0.1, length).astype(np.float32)
            answer = peer.ask(audio=clip)
            np.testing.assert_allclose(answer["embedding"], python.predict(clip).details["embedding"], atol=1e-5)
        assert "at least" in peer.ask(audio=np.ones(3_999, np.float32))["error"]
        assert "silent" in peer.ask(audio=np.zeros(16_000, np.float32))["error"]


def test_the_loops_know_neither_a_system_nor_a_runtime() -> None:
    for file in (TEMPLATES / "loops").glob("*.swift"):
        text = file.read_text(encoding="utf-8")
        assert "import CoreML" not in text and "#if" not in text, file.name
        assert len(text.splitlines()) <= 330, file.name
    for file in JAVA.glob("*.java"):
        text = file.read_text(encoding="utf-8")
        assert "import android" not in text and "onnxruntime" not in text and "tensorflow" not in text, file.name
        assert len(text.splitlines()) <= 330, file.name
