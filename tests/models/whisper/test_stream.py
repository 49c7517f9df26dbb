"""Streams: words that become final, in order, whatever the chunks, in bounded memory."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Heard
from edgekit.errors import BadInput
from edgekit.models.whisper.loop import stream as streaming
from edgekit.models.whisper.loop.options import Options
from edgekit.models.whisper.loop.stream import SpeechStream
from edgekit.models.whisper.loop.words import Word

RATE = 16_000
#: Amplitude of sample i: it tells the recognizer below where in the sound it is.
STEP = 1e-7


@dataclass
class Text:
    tokens: list[int]
    doubt: str = ""

    def silent(self, options: Options) -> bool:
        return False


def letters(text: str) -> tuple[int, ...]:
    """A token for each letter."""
    return tuple(map(ord, text))


class Oracle:
    """A recognizer that knows the words of the sound: a word every half a second, of which it hears those that have
    ended, and mishears the last one while the sound goes on."""

    def __init__(self, seconds: float) -> None:
        self.script = [Word(f" w{i}", 0.5 * i + 0.1, 0.5 * i + 0.45, 0.9) for i in range(int(2 * seconds))]
        self.longest = 0.0

    def _heard(self, samples: NDArray[np.float32]) -> list[Word]:
        begin, length = float(samples[0]) / STEP / RATE, len(samples) / RATE
        self.longest = max(self.longest, length)
        words = [word for word in self.script if begin - 0.05 <= word.start and word.start < begin + length - 0.1]
        out = []
        for word in words:
            whole = word.end <= begin + length
            text, end = word.word if whole else " x", min(word.end - begin, length)
            out.append(Word(text, word.start - begin, end, 0.9, letters(text)))
        return out

    def recognize(self, samples: NDArray[np.float32], context: Any, timestamps: bool) -> Text:
        text = "".join(word.word for word in self._heard(samples))
        prefix = "".join(map(chr, context.prefix))
        assert text.startswith(prefix) or not prefix
        return Text([*letters(text[len(prefix) :])])

    def words(self, recognized: Text, tokens: Any, samples: NDArray[np.float32], context: Any) -> list[Word]:
        return self._heard(samples)


def sound(seconds: float) -> NDArray[np.float32]:
    samples = np.arange(round(seconds * RATE), dtype=np.float64) * STEP
    samples[1::2] += 0.1  # not silence; sample 0 of every buffer that begins at an even place tells where it is
    return samples.astype(np.float32)


def run(seconds: float, chunk: int) -> tuple[list[Heard], str, Oracle]:
    oracle = Oracle(seconds)
    stream = SpeechStream(oracle, Options(language="en"), RATE)  # type: ignore[arg-type]
    samples = sound(seconds)
    heard = [stream.feed(samples[at : at + chunk]) for at in range(0, len(samples), chunk)]
    return heard, stream.end().output, oracle


@pytest.mark.parametrize("chunk", [160, 1600, 16_000, 7777, 10**6])
def test_every_word_once_and_in_order(chunk: int) -> None:
    heard, output, oracle = run(40.0, chunk - chunk % 2)
    assert output.split() == [word.word.strip() for word in oracle.script]
    final = " ".join(part.text for part in heard if part.text).split()
    assert final == output.split()[: len(final)] and len(final) > 70
    edges = [word["start"] for part in heard for word in part.words]
    assert edges == sorted(edges)
    assert oracle.longest < 16


def test_a_word_is_final_soon() -> None:
    oracle = Oracle(20.0)
    stream = SpeechStream(oracle, Options(language="en"), RATE)  # type: ignore[arg-type]
    samples = sound(20.0)
    late: list[float] = []
    for at in range(0, len(samples), 1600):
        late += [(at + 1600) / RATE - word["end"] for word in stream.feed(samples[at : at + 1600]).words]
    assert max(late) < 2.0


def test_an_hour_takes_no_more_memory_than_a_minute() -> None:
    def peak(seconds: int) -> int:
        oracle = Oracle(0.0)
        stream = SpeechStream(oracle, Options(language="en"), RATE)  # type: ignore[arg-type]
        second = sound(1.0)
        tracemalloc.start()
        for _ in range(seconds):
            stream.feed(second)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(3600) < 1.2 * peak(60)


def test_chunks_of_any_kind() -> None:
    """At 48 kHz, of two channels, of 8 bits: about as long as the sound."""
    for dtype, top in (("int16", 2**15 - 1), ("uint8", 127), ("int32", 2**31 - 1), ("float64", 1.0)):
        stream = SpeechStream(Oracle(0.0), Options(language="en"), 48_000)  # type: ignore[arg-type]
        tone = np.sin(np.arange(48_000) * 0.05) * 0.5
        plain = (tone * top + (128 if dtype == "uint8" else 0)).astype(dtype)
        stream.feed(np.stack([plain, plain], axis=1))
        assert stream.end().units["audio_seconds"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    "chunk",
    [np.array([0.1, np.nan]), np.array([np.inf]), np.zeros((2, 2, 2)), np.array(["a"]), [0.1, 0.2], np.array([1 + 2j])],
)
def test_a_bad_chunk_is_refused_and_the_stream_goes_on(chunk: Any) -> None:
    oracle = Oracle(6.0)
    stream = SpeechStream(oracle, Options(language="en"), RATE)  # type: ignore[arg-type]
    samples = sound(6.0)
    stream.feed(samples[: 3 * RATE])
    with pytest.raises(BadInput, match="chunk"):
        stream.feed(chunk)
    stream.feed(samples[3 * RATE :])
    assert stream.end().output.split() == [word.word.strip() for word in oracle.script]
    with pytest.raises(BadInput, match="ended"):
        stream.feed(samples)


@pytest.mark.parametrize("took", [3.0, 25.0, 60.0])
def test_a_device_that_is_too_slow_loses_no_word_and_says_so(took: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a reading takes longer than the sound that a window has room for: it is read all the same."""
    clock = itertools.count(0.0, took)
    monkeypatch.setattr(streaming, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    heard, output, oracle = run(120.0, 1600)
    said = output.split()
    assert [word for word in said if word != "x"] == [word.word.strip() for word in oracle.script]
    assert said.count("x") <= 1 and oracle.longest <= 30
    late = [note for part in heard for note in part.notes]
    assert "comes late" in late[0] and len(late) >= (4 if took > 28 else 1)


def test_silence_is_not_transcribed() -> None:
    stream = SpeechStream(Oracle(60.0), Options(language="en"), RATE)  # type: ignore[arg-type]
    for _ in range(60):
        heard = stream.feed(np.zeros(RATE, np.float32))
        assert (heard.text, list(heard.words), heard.pending) == ("", [], "")
    assert stream.end().output == ""


def test_a_reading_that_loops_loses_no_word() -> None:
    """Every third reading is refused; what the reading before heard is not forgotten."""

    class Stuttering(Oracle):
        count = 0

        def recognize(self, samples: NDArray[np.float32], context: Any, timestamps: bool) -> Text:
            self.count += 1
            text = super().recognize(samples, context, timestamps)
            return Text(text.tokens, "repetitive" if self.count % 3 == 0 else "")

    oracle = Stuttering(30.0)
    stream = SpeechStream(oracle, Options(language="en"), RATE)  # type: ignore[arg-type]
    samples = sound(30.0)
    for at in range(0, len(samples), 1600):
        stream.feed(samples[at : at + 1600])
    assert stream.end().output.split() == [word.word.strip() for word in oracle.script]
