"""Streams of speech in the loops for phones, beside Python's, by chunk: the same words, times and pending text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices.jvm import LANGUAGES, Peer, started
from helpers.devices.spoken_stream import FACTS, Hearing, Said, describe, same_stream, script, sound, still, streamed
from helpers.toys.toy_whisper import ToyWhisper

from edgekit.models.whisper.loop import stream as streaming
from edgekit.models.whisper.loop.pipeline import Transcriber


class Toy:
    """One program over parts that hear made-up sounds; each test gives its own."""

    def __init__(self, toy: ToyWhisper, peer: Peer, language: str) -> None:
        self.toy, self.peer, self.language, self._facts = toy, peer, language, {**toy.facts, **FACTS}

    def both(self, words: list[Said], seconds: float, chunks: list[int], **options: Any) -> Any:
        """Python's events, its whole answer, and what the loop told."""
        loops, clock = options.pop("loops", lambda length: False), options.pop("clock", 0.0)
        audio, ours, theirs = sound(words, seconds), *(Hearing(self.toy, words, loops) for _ in range(2))
        events, whole = streamed(Transcriber(ours.parts, self.toy.folder, self._facts), audio, chunks, **options)
        self.peer.runners |= theirs.parts
        given = {"language": options["language"]} if "language" in options else {}
        given |= {"vad": np.array([int(options["vad"])])} if "vad" in options else {}
        answer = self.peer.ask(audio=audio, chunks=np.array(chunks), clock=np.array([clock], np.float32), **given)
        assert ours.longest == theirs.longest <= 30.0
        return events, whole, answer


@pytest.fixture(scope="module", params=LANGUAGES)
def toy(
    request: pytest.FixtureRequest,
    toy_whisper: ToyWhisper,
    tmp_path_factory: pytest.TempPathFactory,
    loops_in: Callable[[str], str],
) -> Iterator[Toy]:
    folder, parts = tmp_path_factory.mktemp("toy"), Hearing(toy_whisper, []).parts
    describe(folder, toy_whisper, FACTS, parts)
    with started(request.param, loops_in(request.param), folder, parts) as peer:
        yield Toy(toy_whisper, peer, request.param)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Python's clock becomes one on which so many seconds pass from one look to the next."""
    return lambda passes: monkeypatch.setattr(streaming, "time", still(passes))


TALK = [(0.4, 9.0), (9.4, 14.0), (17.0, 21.0), (28.0, 44.0)]
CASES: dict[str, dict[str, Any]] = {
    "odd chunks": {"chunks": [700, 1600]},
    "everything may be speech": {"chunks": [1600], "vad": False},
    "large chunks": {"chunks": [77_777, 3, 200_000]},
    "the language is detected": {"chunks": [1600], "language": None},
    "a slow device": {"chunks": [1600], "clock": 1.5, "vad": False},
    "a hopeless device": {"chunks": [1600], "clock": 60.0, "vad": False},
    "loops": {"chunks": [1600], "vad": False, "loops": lambda seconds: int(10 * seconds) % 3 == 0},
}


@pytest.mark.parametrize("case", CASES)
def test_a_stream_tells_the_same(toy: Toy, clock: Callable[[float], None], case: str) -> None:
    options = {"language": "en", **CASES[case]}
    if options["language"] is None:
        del options["language"]
    clock(options.get("clock", 0.0))
    words = script(TALK)
    events, whole, answer = toy.both(words, 46.0, **options)
    same_stream(events, whole, answer)
    assert len(words) == 66
    if case != "loops":
        said = [word["word"] for word in whole.details["words"] if word["word"] != "x"]
        assert said == [word.word.strip() for word in words], "no word is lost, and none comes twice"
    notes = [line.split("\t")[3] for line in events]
    assert any("comes late" in note for note in notes) == ("device" in case)


def test_silence_and_nothing(toy: Toy, clock: Callable[[float], None]) -> None:
    clock(0.0)
    for seconds in (0.0, 20.0):
        events, whole, answer = toy.both([], seconds, [1600], language="en")
        same_stream(events, whole, answer)
        assert events == [] and answer["text"] == ""


def test_a_chunk_that_is_no_sound_is_refused(toy: Toy, clock: Callable[[float], None]) -> None:
    """The stream goes on without it; a stream that has ended takes no more."""
    clock(0.0)
    words = script([(0.4, 6.0)])
    events, whole, _ = toy.both(words, 8.0, [1600], language="en")
    answer = toy.peer.ask(audio=sound(words, 8.0), chunks=np.array([1600]), language="en", bad=np.array([25]))
    same_stream(events, whole, answer)
    swift, node = ("ModelError", "ModelError"), ("RangeError", "Error")
    refused, ended = {"java": ("IllegalArgument", "IllegalState"), "swift": swift, "javascript": node}[toy.language]
    assert refused in answer["refused"] and "not numbers" in answer["refused"]
    assert answer["ended"].count(ended) == answer["ended"].count("the stream has ended") == 2


@pytest.mark.parametrize("after", [0, 30, 100, 400])
def test_a_stream_that_is_cancelled_keeps_no_memory(toy: Toy, after: int) -> None:
    words = script([(0.4, 6.0)])
    toy.peer.runners |= Hearing(toy.toy, words).parts
    given = {"audio": sound(words, 8.0), "chunks": np.array([1600]), "language": "en"}
    answer = toy.peer.ask(**given, cancel_after=np.array([after]))
    assert "Cancellation" in answer["error"] and int(answer["open"][0]) == 0
    assert toy.peer.ask(**given)["text"].split() == [word.word.strip() for word in words]


@pytest.mark.parametrize("lacks", ["alignment", "detector"])
def test_what_a_bundle_cannot_do(
    toy: Toy, toy_whisper: ToyWhisper, tmp_path: Path, loops_in: Callable[[str], str], lacks: str
) -> None:
    given = {"audio": sound([], 1.0), "chunks": np.array([1600])}
    assert "not among" in toy.peer.ask(**given, language="xx")["error"]
    parts = {name: part for name, part in Hearing(toy_whisper, []).parts.items() if name != lacks}
    describe(tmp_path, toy_whisper, {name: fact for name, fact in FACTS.items() if name != lacks}, parts)
    wanted = {"alignment": "times of words", "detector": "no detector"}[lacks]
    with started(toy.language, loops_in(toy.language), tmp_path, parts) as peer:
        assert wanted in peer.ask(**given, vad=np.array([1]))["error"]
