"""The loops for apps beside the pipelines, in Java, Swift and JavaScript: the same texts, pixels and random numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from helpers.cases.whisper_cases import Phrase, sound
from helpers.devices import node
from helpers.devices.jvm import JAVA, Peer
from helpers.toys.toy_whisper import EOT, HARDLY, VOCABULARY, Fake, ScriptedDecoder, Sounds, ToyWhisper, says
from PIL import Image

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.models.whisper.loop.pipeline import Transcriber
from edgekit.targets.common.vocabularies import vocabulary
from edgekit.targets.ios.templates import TEMPLATES

Start = Callable[[Path, dict[str, Runner]], Peer]
PIL_BEFORE_13 = int(PIL.__version__.split(".")[0]) < 13


class Whisper:
    """One program for all tests of the toy: each gives its own decoder.

    Args:
        more: parts beside the toy's, or in their place.
    """

    def __init__(
        self, toy: ToyWhisper, folder: Path, start: Start, more: Mapping[str, Runner] | None = None, **facts: Any
    ) -> None:
        self.toy, self.runners = toy, dict[str, Runner]()
        self._more, self._facts = more or {}, {**toy.facts, **facts}
        past = TensorSpec("past_key_0", "float32", ("hypotheses", 1, "past", 1))
        inputs = {"decoder": (past,), **{name: runner.inputs for name, runner in self._more.items()}}
        # Only a decoder that gives queries can tell the times of words.
        outputs = {"decoder": [TensorSpec("alignment_queries", "float32", ())] if "alignment" in facts else []}
        parts = [
            {
                "name": name,
                "file": name,
                "inputs": [asdict(spec) for spec in inputs.get(name, ())],
                "outputs": [asdict(spec) for spec in outputs.get(name, ())],
            }
            for name in dict.fromkeys(("frontend", "encoder", "decoder", *self._more))
        ]
        told = {"model": "toy", "family": "whisper", "precision": "fp32", "answer": "", "parts": parts}
        told["limits"] = {part["name"]: 0.1 for part in parts}
        (folder / "model.json").write_text(json.dumps({**told, "facts": self._facts}))
        (folder / "vocabulary.bin").write_bytes(vocabulary(toy.folder / "tokenizer.json", EOT))
        self.peer = start(folder, self.runners)

    def parts(self, decoder: Runner) -> dict[str, Runner]:
        sounds = Sounds()
        return {"frontend": sounds.frontend, "encoder": sounds.encoder, "decoder": decoder, **self._more}

    def both(self, make: Any, audio: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The Python pipeline's prediction, and the loops' answer, each with a decoder of its own."""
        expected = Transcriber(self.parts(make()), self.toy.folder, self._facts).predict(audio, **options)
        self.runners |= self.parts(make())
        given = {"language": options["language"]} if "language" in options else {}
        given |= {name: np.zeros(0, np.int64) for name in ("timestamps", "words") if options.get(name)}
        given |= {"translate": np.zeros(0, np.int64)} if options.get("task") == "translate" else {}
        return expected, self.peer.ask(audio=audio, **given)


@pytest.fixture(scope="module")
def aligned(toy_whisper: ToyWhisper, tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[Whisper]:
    more = {"encoder": Fake(_keys)}
    one = Whisper(toy_whisper, tmp_path_factory.mktemp("aligned"), start, more, alignment=[[0, 1], [0, 0]])
    with one.peer:
        yield one


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
    told = [line.split("\t") for line in answer["words"].splitlines()]
    words = details.get("words", [])
    assert [word for word, *_ in told] == [word["word"] for word in words]
    times = [(word["start"], word["end"], word["probability"]) for word in words]
    np.testing.assert_allclose([[float(v) for v in rest] for _, *rest in told], times, rtol=0, atol=1e-5)
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


def test_a_hardly_probable_text_is_read_again_with_the_whole_window(whisper: Whisper, say: Phrase) -> None:
    ours, told = whisper.both(lambda: says([say("xy"), say("fine")], weight=HARDLY), sound(3.0), language="en")
    same(ours, told)
    assert "hardly probable" in ours.details["fallbacks"][0]


def test_caches_that_begin_with_a_blank(toy_whisper: ToyWhisper, say: Phrase, tmp_path: Path, start: Start) -> None:
    one = Whisper(toy_whisper, tmp_path, start, blanks=1)
    answers = [say(0.0, "one", 1.0, 1.5, "two", 2.5)]
    with one.peer:
        same(*one.both(lambda: says(answers, blanks=1), sound(3.0), timestamps=True))


class Aligned(Runner):
    """A decoder whose two heads look 0.12 s further on in the sound with every token, and a little anywhere."""

    inputs = (TensorSpec("past_key_0", "float32", ("hypotheses", 1, "past", 1)),)

    def __init__(self, decoder: ScriptedDecoder, anywhere: float = 1.0, there: float = 5.0) -> None:
        self._decoder, self._anywhere, self._there = decoder, anywhere, there
        self.outputs = (TensorSpec("alignment_queries", "float32", ()),)

    def __call__(self, feeds: Feeds) -> dict[str, Any]:
        (count, length), size = feeds["tokens"].shape, feeds["cross_key_0"].shape[1]
        queries = np.zeros((2, count, length, size), np.float32)
        for row in range(length):
            token = feeds["past_key_0"].shape[2] + row
            queries[:, :, row] = np.random.default_rng(token).normal(0, self._anywhere, (2, 1, size))
            queries[:, :, row, 6 * token : 6 * token + 9] += self._there
        return {**(self._read(feeds) if length > 4 else self._decoder(feeds)), "alignment_queries": queries}

    def _read(self, feeds: Feeds) -> dict[str, Any]:
        """Of a whole text, which is longer than any prompt: every token is more or less expected."""
        (row,), select = feeds["tokens"].tolist(), feeds["select"].tolist()
        logits = np.zeros((1, len(select), VOCABULARY), np.float32)
        for i, at in enumerate(select):
            if at + 1 < len(row):
                logits[0, i, row[at + 1]] = 3 + row[at + 1] % 5
        return {"logits": logits, "present_key_0": np.zeros((1, 1, len(row), 1), np.float32)}


def _keys(feeds: Feeds) -> dict[str, Any]:
    """Keys of two heads, in which a query is what it looks at."""
    size = feeds["mel"].shape[2] // 2
    eye = np.eye(size, dtype=np.float32)
    return {"cross_key_0": np.stack([eye, eye[::-1]]), "cross_value_0": np.zeros((2, size, 1), np.float32)}


def syllables(seconds: float) -> Any:
    """Noise that is loud and quiet in turns."""
    rng, count = np.random.default_rng(3), round(seconds * 10)
    return (rng.normal(0, 0.1, count * 1600) * np.repeat(rng.choice([0.01, 0.3, 1.0], count), 1600)).astype(np.float32)


WORDS: dict[str, tuple[float, list[tuple[Any, ...]], dict[str, Any]]] = {
    "marks": (5.0, [("so \u00bf one, two. three! four?",)], {"language": "en"}),
    "segments": (6.0, [(0.0, " one", 1.0, 1.5, " two, three", 4.5)], {"timestamps": True}),
    "long": (40.0, [(0.0, " one two", 9.0, 9.0, " th"), (0.0, " three four", 12.0)], {}),
    "no spaces": (4.0, [("\u4f60\u597d\u3002\u4e16\u754c",)], {"language": "zh"}),
    "half a letter": (3.0, [(" \u00e9t\u00e9 \U0001f642 x",)], {}),
    "nothing": (3.0, [("",)], {}),
}


@pytest.mark.parametrize("case", WORDS)
def test_words_have_the_same_times(aligned: Whisper, say: Phrase, case: str) -> None:
    seconds, answers, options = WORDS[case]
    script = [say(*one) for one in answers]
    expected, answer = aligned.both(lambda: Aligned(says(script)), syllables(seconds), words=True, **options)
    same(expected, answer)
    assert len(expected.details["words"]) == {"marks": 5, "segments": 3, "long": 4, "no spaces": 4}.get(
        case, len(expected.details["words"])
    )


class Ear(Runner):
    """A detector that hears speech where the sound is loud, and remembers how loud it was."""

    inputs = tuple(TensorSpec(name, "float32", (1, 128)) for name in ("h", "c"))
    outputs = ()

    def __call__(self, feeds: Feeds) -> dict[str, Any]:
        level = np.float32(np.abs(feeds["audio"]).mean())
        heard = min(1.0, 8 * float(level + feeds["h"][0, 0]))
        return {
            "probability": np.array([[heard]], np.float32),
            "h_after": np.full((1, 128), level / 2, np.float32),
            "c_after": feeds["c"],
        }


def bursts(seconds: list[float]) -> Any:
    """Noise and silence in turns."""
    rng = np.random.default_rng(9)
    pieces = [rng.normal(0, 0.1 * (1 - i % 2), round(length * 16_000)) for i, length in enumerate(seconds)]
    return np.concatenate(pieces).astype(np.float32)


@pytest.mark.parametrize("timestamps", [False, True])
def test_long_sounds_are_cut_in_pauses(
    toy_whisper: ToyWhisper, say: Phrase, tmp_path: Path, start: Start, timestamps: bool
) -> None:
    one = Whisper(toy_whisper, tmp_path, start, {"detector": Ear()})
    answers = [say(0.0, f"n{i}", 1.0, 1.0, "more") if timestamps else say(f"n{i}") for i in range(6)]
    long = bursts([2.0, 0.3, 5.0, 1.2, 3.0, 4.0, 14.0, 0.2, 24.0, 6.1, 0.05, 3.0, 2.03])
    with one.peer:
        for heard in (long, bursts([1.0, 40.0]), bursts([3.0, 2.0])):
            expected, answer = one.both(lambda: says(answers), heard, timestamps=timestamps)
            same(expected, answer)
            left_out = any("no speech" in note for note in expected.details["notes"])
            assert left_out == (len(heard) > 30 * 16_000)


def test_what_the_network_leaves_out_of_a_window_is_read_again(
    toy_whisper: ToyWhisper, say: Phrase, tmp_path: Path, start: Start
) -> None:
    """With times it often stops early: 10.0 s of each answer's window, here, and less than 1.5 s need no answer.

    Of a short sound, which is not cut in pauses, a rest needs an answer only if most of it is speech.
    """
    one = Whisper(toy_whisper, tmp_path, start, {"detector": Ear()})
    answers = [say(0.0, f"n{i}", 10.0) for i in range(12)]
    with one.peer:
        long = [([26.0, 4.0, 11.0], 4), ([20.0, 11.0], 2)]
        short = [([25.0], 3), ([12.0, 9.0], 1), ([21.4], 2), ([11.4], 1)]
        for seconds, words in long + short:
            heard = bursts(seconds)
            expected, answer = one.both(lambda: says(answers), heard, timestamps=True)
            same(expected, answer)
            assert expected.output.count("n") == words


def test_a_text_that_leaves_speech_out_is_read_again_with_times(
    toy_whisper: ToyWhisper, say: Phrase, tmp_path: Path, start: Start
) -> None:
    """Its tokens look at the sound that they say: a text of few says nothing of the last 3 seconds of speech, or of a
    pause, which needs no words. Where times find hardly more, the text without them stays."""
    more = {"detector": Ear(), "encoder": Fake(_keys)}
    one = Whisper(toy_whisper, tmp_path, start, more, alignment=[[0, 0], [0, 0]])
    whole, part, timed = "what every token looks at, here", "but no", (0.0, "but not always", 2.0, 2.0, "again", 4.0)
    cases = [
        (bursts([4.0, 4.0, 4.0, 20.0]), [(whole,), (part,), timed], f"{whole}but not alwaysagain"),
        (bursts([4.0]), [(part,), timed], "but not alwaysagain"),
        (bursts([1.5, 4.0]), [(part,)], part),
        (bursts([4.0]), [(part,), (0.0, "bu", 4.0)], part),
        (bursts([4.0]), [(part,), (0.0, "but now", 4.0)], part),
        (bursts([4.0]), [(part,), (0.0, "but", 1.0), (0.0, " then", 1.0, 1.0, " on", 2.5), ("you",)], "but then on"),
    ]
    with one.peer:
        for heard, answers, text in cases:
            script = [say(*answer) for answer in answers]
            expected, answer = one.both(lambda script=script: Aligned(says(script), 0, 50), heard, words=True)
            same(expected, answer)
            assert expected.output == text
            told = "".join(expected.details["fallbacks"])
            assert (told.startswith("no words for ") and told.endswith("read again with times")) == (len(answers) > 1)


def test_words_are_for_those_who_ask(aligned: Whisper, whisper: Whisper, say: Phrase) -> None:
    expected, answer = aligned.both(lambda: Aligned(says([say(" one two")])), syllables(4.0))
    same(expected, answer)
    assert answer["words"] == ""
    whisper.runners |= whisper.parts(says([say("hello.")]))
    assert "times of words" in whisper.peer.ask(audio=sound(3.0), words=np.zeros(0, np.int64))["error"]


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
    for seed in (0, 1, 5, 2**31 - 1, (0, 0), (7, 2), (3, 1, 4)):
        drawn = whisper.peer.ask(seed=np.array(seed).reshape(-1))
        gumbel = np.random.default_rng(seed).gumbel(size=1000).astype(np.float32)
        normal = np.random.default_rng(seed).standard_normal(40_000, np.float32)
        np.testing.assert_array_equal(drawn["gumbel"], gumbel)
        usual = np.abs(normal) < 3.65
        np.testing.assert_array_equal(drawn["normal"][usual], normal[usual])
        np.testing.assert_allclose(drawn["normal"], normal, rtol=1e-6)


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


def test_the_loops_know_neither_a_system_nor_a_runtime() -> None:
    for file in (TEMPLATES / "loops").glob("*.swift"):
        text = file.read_text(encoding="utf-8")
        assert "import CoreML" not in text and "#if" not in text, file.name
        assert len(text.splitlines()) <= 330, file.name
    for file in JAVA.glob("*.java"):
        text = file.read_text(encoding="utf-8")
        assert "import android" not in text and "onnxruntime" not in text and "tensorflow" not in text, file.name
        assert len(text.splitlines()) <= 330, file.name
    for file in node.LOOPS.glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert "document." not in text and "node:" not in text and "onnxruntime" not in text, file.name
        assert len(text.splitlines()) <= 330, file.name
