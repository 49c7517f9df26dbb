"""Figures of docs/speech.md: times of words, streams beside whole sounds, and sounds in which nobody speaks.

python tests/peers/measure_speech.py BUNDLE ../shared/data [--only words|streams|silence] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jiwer
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from whisper_normalizer.english import EnglishTextNormalizer

from edgekit.bundles.opened import load
from edgekit.models.whisper.loop import stream as streaming

RATE = 16_000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
#: Power of a clip over its noise's, in dB, one clip after another.
_DECIBELS = (6, 10, 15, 20)
Sound = NDArray[np.float32]


def joined_digits(data: Path, seed: int, count: int = 12) -> tuple[Sound, list[tuple[str, float]]]:
    """Digits of a speaker with pauses of 0.1 to 0.7 s, noise at -60 dB; each digit, and where its recording begins."""
    rng = random.Random(seed)
    files = sorted((data / "fsdd").glob("*.wav"))
    speaker = rng.choice(sorted({file.stem.split("_")[1] for file in files}))
    pieces, truth, at = [np.zeros(6400, np.float32)], [], 6400
    for file in rng.choices([file for file in files if f"_{speaker}_" in file.name], k=count):
        samples, rate = soundfile.read(file, dtype="float32")
        spoken = soxr.resample(samples, rate, RATE).astype(np.float32)
        truth.append((DIGITS[int(file.name[0])], at / RATE))
        pieces += [spoken, np.zeros(round(rng.uniform(0.1, 0.7) * RATE), np.float32)]
        at += len(spoken) + len(pieces[-1])
    sound = np.concatenate(pieces)
    return (sound + np.random.default_rng(seed).normal(0, 1e-3, len(sound))).astype(np.float32), truth


def words(predictor: Any, data: Path, count: int = 40) -> Mapping[str, float]:
    """Errors of the starts of digits that were understood, in seconds."""
    errors, order, spoken, ratios = list[float](), 0, 0, list[float]()
    for seed in range(count):
        sound, truth = joined_digits(data, seed)
        began = time.process_time()
        predictor.predict(sound, language="en")
        between = time.process_time()
        heard = predictor.predict(sound, language="en", words=True).details["words"]
        ratios.append((time.process_time() - between) / (between - began))
        texts = ["".join(letter for letter in word["word"].lower() if letter.isalnum()) for word in heard]
        texts = [DIGITS[int(text)] if text.isdigit() and len(text) == 1 else text for text in texts]
        matcher = SequenceMatcher(a=[digit for digit, _ in truth], b=texts, autojunk=False)
        for match in matcher.get_matching_blocks():
            pairs = [(heard[match.b + i]["start"], truth[match.a + i][1]) for i in range(match.size)]
            errors += [abs(start - wanted) for start, wanted in pairs]
        edges = [edge for word in heard for edge in (word["start"], word["end"])]
        order += edges != sorted(edges)
        spoken += len(truth)
    return {
        "digits": spoken,
        "understood": len(errors),
        "median error": float(np.median(errors)),
        "95th percentile": float(np.percentile(errors, 95)),
        "clips out of order": order,
        "processor time, of that without words, median": float(np.median(ratios)),
    }


def streams(predictor: Any, data: Path, length: int = 10) -> Mapping[str, float]:
    """Word error of streams and of whole sounds with noise, against the text of each clip without noise (five beams, a
    window of 30 s): clips of clear speakers, so that it is nearly what they say; `length` of them joined, in an order
    drawn once. Lateness of final words with a processor of this machine that does nothing else (the process's own time
    stands for the wall's)."""
    normal, rng = EnglishTextNormalizer(), np.random.default_rng(1)
    whole, stream, reference, late = list[str](), list[str](), list[str](), list[float]()
    seconds, busy = 0.0, 0.0
    files = sorted((data / "librispeech-train-clean").rglob("*.flac"))
    files = random.Random(5).sample(files, len(files))
    for group in range(len(files) // length):
        texts, parts = list[str](), list[Sound]()
        for at, file in enumerate(files[group * length : (group + 1) * length]):
            clean = soundfile.read(file, dtype="float32")[0]
            texts.append(predictor.predict(clean, language="en", beams=5, window=30.0).output)
            parts += [noisy(clean, rng, _DECIBELS[at % len(_DECIBELS)]), np.zeros(4800, np.float32)]
        sound = np.concatenate(parts)
        reference.append(normal(" ".join(texts)))
        whole.append(normal(predictor.predict(sound, language="en").output))
        began = time.process_time()
        text, lateness = streamed(predictor, sound)
        busy, seconds = busy + time.process_time() - began, seconds + len(sound) / RATE
        stream.append(normal(text))
        late += lateness
    return {
        "words": sum(len(text.split()) for text in reference),
        "word error, whole": jiwer.wer(reference, whole),
        "word error, stream": jiwer.wer(reference, stream),
        "lateness, median": float(np.median(late)),
        "lateness, 95th percentile": float(np.percentile(late, 95)),
        "processor time, seconds for a second of sound": busy / seconds,
    }


def noisy(clean: Sound, rng: np.random.Generator, decibels: float) -> Sound:
    """The sound with pink noise; `decibels`: of its power over the noise's."""
    noise = pink(rng.normal(size=len(clean)))
    noise *= np.sqrt((clean**2).mean() / (noise**2).mean() / 10 ** (decibels / 10))
    mixed = clean + noise
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)


def pink(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """White noise with the spectrum of pink noise: power falls with the frequency."""
    falling = np.sqrt(np.maximum(np.arange(len(white) // 2 + 1), 1))
    return np.fft.irfft(np.fft.rfft(white) / falling, len(white))


def streamed(predictor: Any, sound: Sound) -> tuple[str, list[float]]:
    """The text, and how many seconds after its end each word was final, in chunks of 0.1 s at the pace of the sound."""
    # Also where the stream asks how long it took: neighbours on this machine are none on a phone.
    streaming.time = SimpleNamespace(perf_counter=time.process_time)
    stream, clock, late = predictor.stream(language="en"), 0.0, list[float]()
    for at in range(0, len(sound), RATE // 10):
        began = time.process_time()
        heard = stream.feed(sound[at : at + RATE // 10])
        clock = max(clock, (at + RATE // 10) / RATE) + time.process_time() - began
        late += [clock - word["end"] for word in heard.words]
    return stream.end().output, late


def quiet_sounds(seconds: int) -> Iterator[tuple[str, Sound]]:
    """Sounds in which nobody speaks."""
    rng, count = np.random.default_rng(0), seconds * RATE
    moment = np.arange(count) / RATE
    white = rng.normal(size=count)
    shaped = pink(white)
    tunes = []
    for _ in range(4 * seconds):
        pitch = 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
        time_ = np.arange(RATE // 4) / RATE
        tunes.append(sum(np.sin(2 * np.pi * pitch * k * time_) / k for k in range(1, 7)) * np.exp(-4 * time_))
    sounds = {
        "silence": np.zeros(count),
        "white noise": 0.1 * white,
        "soft white noise": 0.01 * white,
        "pink noise": 0.5 * shaped / np.abs(shaped).max(),
        "hum": 0.2 * np.sin(2 * np.pi * 50 * moment) + 0.1 * np.sin(2 * np.pi * 150 * moment),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * moment),
        "beeps": 0.5 * np.sin(2 * np.pi * 1000 * moment) * (moment % 1 < 0.2),
        "music": 0.2 * np.concatenate(tunes)[:count],
    }
    for name, sound in sounds.items():
        yield name, sound.astype(np.float32)


def silence(predictor: Any, data: Path, seconds: int = 230) -> Mapping[str, float]:
    """Words that are heard in each sound, whole and as a stream."""
    counts = {}
    for name, sound in quiet_sounds(seconds):
        counts[f"{name}, whole"] = len(predictor.predict(sound, language="en").output.split())
        counts[f"{name}, stream"] = len(streamed(predictor, sound)[0].split())
    return {"seconds": 8.0 * seconds, **counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("words", "streams", "silence"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    predictor = load(arguments.bundle, arguments.threads)
    measures = {"words": words, "streams": streams, "silence": silence}
    figures = {}
    for name, measure in measures.items():
        if arguments.only in (None, name):
            figures[name] = measure(predictor, arguments.data)
            print(name, json.dumps(figures[name], indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
