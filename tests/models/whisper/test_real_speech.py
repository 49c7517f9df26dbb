"""Words with times, streams and silence on real weights and real speech."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def predictor(int8_bundle: Any) -> Any:
    import edgekit

    return edgekit.load(int8_bundle.path, threads=2)


@pytest.fixture(scope="module")
def digits(shared_data: Path) -> list[tuple[NDArray[np.float32], list[tuple[str, float]]]]:
    """Clips of eight digits of a speaker at known times, with pauses and a little noise."""
    files = sorted((shared_data / "fsdd").glob("*_jackson_*.wav"))
    clips = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        pieces, truth, at = [np.zeros(6400, np.float32)], [], 6400
        for file in (files[i] for i in rng.integers(0, len(files), 8)):
            samples, rate = soundfile.read(file, dtype="float32")
            truth.append((DIGITS[int(file.name[0])], at / RATE))
            pieces += [soxr.resample(samples, rate, RATE), np.zeros(int(rng.integers(3000, 11_000)), np.float32)]
            at += len(pieces[-2]) + len(pieces[-1])
        sound = np.concatenate(pieces) + rng.normal(0, 1e-3, at)
        clips.append((sound.astype(np.float32), truth))
    return clips


def test_words_begin_when_they_were_spoken(
    predictor: Any, digits: list[tuple[NDArray[np.float32], list[tuple[str, float]]]]
) -> None:
    errors = []
    for sound, truth in digits:
        words = predictor.predict(sound, language="en", words=True).details["words"]
        edges = [edge for word in words for edge in (word["start"], word["end"])]
        assert edges == sorted(edges)
        assert all(0 < word["probability"] <= 1 for word in words)
        if len(words) == len(truth):  # others were misheard
            errors += [abs(word["start"] - start) for word, (_, start) in zip(words, truth, strict=True)]
    assert len(errors) >= 24
    assert np.median(errors) <= 0.06 and np.percentile(errors, 95) <= 0.2


def test_words_are_the_text(predictor: Any, speech: list[tuple[Path, str]]) -> None:
    for path, _ in speech:
        result = predictor.predict(path, language="en", words=True)
        # As in the original, "cold-hearted" is two words, of which the second has the mark.
        assert "".join(word["word"] for word in result.details["words"]) == "".join(result.output.split())
        assert result.output == predictor.predict(path, language="en").output


def test_a_stream_says_what_the_whole_sound_says(predictor: Any, speech: list[tuple[Path, str]]) -> None:
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normal, truths, texts, wholes = EnglishTextNormalizer(), [], [], []
    for path, truth in speech[::2]:
        samples, rate = soundfile.read(path, dtype="float32")
        stream = predictor.stream(rate=rate, language="en")
        for at in range(0, len(samples), rate // 2):
            stream.feed(samples[at : at + rate // 2])
        truths.append(normal(truth))
        texts.append(normal(stream.end().output))
        wholes.append(normal(predictor.predict(path, language="en").output))
    assert jiwer.wer(truths, texts) <= jiwer.wer(truths, wholes) + 0.05


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "beeps"])
def test_nobody_speaks(predictor: Any, kind: str) -> None:
    moment = np.arange(40 * RATE) / RATE
    sound = {
        "silence": np.zeros(len(moment)),
        "noise": 0.1 * np.random.default_rng(0).normal(size=len(moment)),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * moment),
        "beeps": 0.5 * np.sin(2 * np.pi * 1000 * moment) * (moment % 1 < 0.2),
    }[kind].astype(np.float32)
    result = predictor.predict(sound)
    assert result.output == "" and "left out" in " ".join(result.details["notes"])


def test_speech_between_long_pauses_loses_no_word(predictor: Any, speech: list[tuple[Path, str]]) -> None:
    path, _ = speech[0]
    samples, rate = soundfile.read(path, dtype="float32")
    clip = soxr.resample(samples, rate, RATE).astype(np.float32)
    pause = (1e-3 * np.random.default_rng(0).normal(size=15 * RATE)).astype(np.float32)
    result = predictor.predict(np.concatenate([pause, clip, pause, clip, pause]), language="en")
    once = predictor.predict(clip, language="en").output
    letters = ["".join(letter for letter in text.lower() if letter.isalpha()) for text in (result.output, once)]
    assert letters[0] == 2 * letters[1]
    assert round(result.details["segments"][0]["start"]) in (14, 15, 16)


def test_a_conversation_loses_no_sentence(predictor: Any, shared_data: Path) -> None:
    """Ten speakers, one behind the other: the network leaves sentences out, which are read again."""
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"))
    pause = np.zeros(RATE * 3 // 10, np.float32)
    clips = [soundfile.read(file, dtype="float32")[0] for file in random.Random(8).sample(files, 10)]
    spoken = sum(len(predictor.predict(clip, language="en").output.split()) for clip in clips)
    result = predictor.predict(np.concatenate([part for clip in clips for part in (clip, pause)]), language="en")
    assert len(result.output.split()) > 0.95 * spoken
    assert any("read again with times" in told for told in result.details["fallbacks"])


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize(("clip", "words"), [("1363-135842-0000", 6), ("1926-143879-0000", 30)])
def test_what_follows_a_heading_is_not_lost(
    predictor: Any, shared_data: Path, clip: str, words: int, timestamps: bool
) -> None:
    """The network stops behind "Chapter 31", and says nothing of the nine seconds after it."""
    (file,) = (shared_data / "librispeech-train-clean").rglob(f"{clip}.flac")
    assert len(predictor.predict(file, language="en", timestamps=timestamps).output.split()) >= words
