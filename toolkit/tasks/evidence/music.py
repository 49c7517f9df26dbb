"""Music whose notes are known: short scores, played by a synthesiser of strings and pipes. No recording is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Evidence, Json, Sample

RATE = 22_050
#: Scores of each half; notes of a score.
_COUNT, _NOTES = 12, 14
#: Of each half, so that no melody is in both: the scale's steps, its lowest keys.
_HALVES = ((0, 2, 4, 5, 7, 9, 11), (36, 48, 60, 67)), ((0, 2, 3, 5, 7, 8, 11), (40, 45, 55, 64))
#: Levels of the noise behind a score, in dB of full scale (None: none).
_NOISES = (None, -60.0, -50.0)

Voice = Callable[[float, float, int], Any]


def string(frequency: float, seconds: float, seed: int) -> NDArray[Any]:
    """A plucked string: Karplus and Strong 1983, tuned by an all-pass filter (Jaffe and Smith 1983)."""
    size, period = round(seconds * RATE), RATE / frequency - 0.5
    whole = int(period - 0.1)
    fraction = period - whole
    share = (1 - fraction) / (1 + fraction)
    held = np.random.default_rng(seed).uniform(-1, 1, whole)
    out, before, mixed_before = np.empty(size), 0.0, 0.0
    for i in range(size):
        place = i % whole
        value = held[place]
        mixed = 0.498 * (value + held[(place + 1) % whole])
        before = share * (mixed - before) + mixed_before
        mixed_before = mixed
        held[place] = before
        out[i] = value
    return _fade_and_normalize(out)


def pipe(frequency: float, seconds: float, seed: int) -> NDArray[Any]:
    """A tone of a few harmonics that begins within 20 ms."""
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = [h for h in range(1, 6) if h * frequency < RATE / 2]
    tone = sum(np.sin(2 * np.pi * h * frequency * time + seed * h) / h**1.5 for h in harmonics)
    return _fade_and_normalize(np.minimum(1.0, time / 0.02) * tone)


def _fade_and_normalize(tone: NDArray[Any]) -> NDArray[Any]:
    end = min(len(tone), round(0.03 * RATE))
    tone[-end:] *= np.linspace(1, 0, end)
    return tone / max(1e-9, float(np.abs(tone).max()))


def synthesize_notes(notes: Sequence[dict[str, Any]], voice: Voice) -> NDArray[Any]:
    """The sound of notes (``start``, ``end`` in seconds, ``pitch`` as MIDI counts): float32 [samples] at `RATE`."""
    size = round((max(note["end"] for note in notes) + 0.5) * RATE)
    sound = np.zeros(size)
    for i, note in enumerate(notes):
        tone = voice(440.0 * 2 ** ((note["pitch"] - 69) / 12), note["end"] - note["start"], i)
        start = round(note["start"] * RATE)
        sound[start : start + len(tone)] += 0.25 * tone
    result: NDArray[Any] = np.clip(sound, -1, 1).astype(np.float32)
    return result


def _samples(folder: Path) -> Sequence[Sample]:
    return [_sample(half, k) for half in range(2) for k in range(_COUNT)]


def _sample(half: int, k: int) -> Sample:
    """The k-th score of a half: a melody, and every fourth note a third below it."""
    random = np.random.default_rng(100 * half + k)
    steps, lowest = _HALVES[half]
    base, at, degree = lowest[k % len(lowest)], 0.3, int(random.integers(0, 7))
    notes = list[dict[str, Json]]()
    while len(notes) < _NOTES:
        degree = int(np.clip(degree + random.integers(-3, 4), 0, 13))
        length = float(random.choice((0.25, 0.35, 0.5)))
        for below in (0, 2) if len(notes) % 4 == 3 else (0,):
            octave, step = divmod(max(0, degree - below), 7)
            notes.append({"start": at, "end": at + 0.95 * length, "pitch": base + 12 * octave + steps[step]})
        at += length
    unlike = {(note["start"], note["pitch"]): note for note in notes}
    sound = synthesize_notes(list(unlike.values()), (string, pipe)[k % 2])
    level = _NOISES[k % len(_NOISES)]
    if level is not None:
        sound = sound + np.float32(10 ** (level / 20)) * random.standard_normal(len(sound), np.float32)
    return Sample(sound, list(unlike.values()), f"{('first', 'second')[half]}-{k + 1:02d}")


#: `Sample.input` is an array at the rate that the network takes.
SCORES = Evidence(
    "played scores",
    "Apache-2.0",
    f"{2 * _COUNT} short scores, played by edgekit's own synthesiser of plucked strings and pipes; no recording",
    _samples,
)
