"""Evidence of keyword spotters: their phrase at other times, levels and beside other speech; speech without it.

There is a single recording of each phrase and word, synthesised as the golden input: the source of its mixtures. Of
words each half has its own. A phrase is in both halves, placed and mixed differently. The speech without it is of other
people in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common import package_data
from edgekit.common.lazy import NDArray, np, soundfile
from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.speech import SPEECH

_RATE = 16_000
#: Levels of the phrase, and how far other speech lies below it, in dB (None: silence around it).
_GAINS, _RATIOS = (1.0, 0.5, 0.25, 0.7), (None, 20.0, 10.0, None, 15.0)
#: Samples with and without the phrase in each half, and their seconds.
_WITH, _WITHOUT, _SECONDS = 10, 10, 3.0
#: What lies behind the phrase in each half, lossless: the same numbers on every machine.
_BEHIND = ("data/golden/jfk.flac", "data/golden/golden-words.flac")


def phrase_evidence(phrase: str, golden: str, end: float | None = None) -> Evidence:
    """Evidence of a phrase, which is spoken in a golden sound, in its first `end` seconds."""
    return _evidence(phrase, golden, ((0.0, end),))


def word_evidence(golden: str, words: int, seconds: float) -> Evidence:
    """Evidence of the words that are spoken in a golden sound, one every `seconds`."""
    return _evidence("words", golden, tuple((i * seconds, (i + 1) * seconds) for i in range(words)))


def _evidence(said: str, golden: str, spans: Sequence[tuple[float, float | None]]) -> Evidence:
    return Evidence(
        f"{said} and speech",
        SPEECH.licence,
        f"{2 * _WITH} mixtures of synthesised recordings ({said}; of a phrase, the same one in both halves), and "
        f"{SPEECH.origin}",
        lambda folder: _samples(golden, spans, folder),
    )


def _samples(golden: str, spans: Sequence[tuple[float, float | None]], folder: Path) -> Sequence[Sample]:
    sound = _read(golden)
    pieces = [sound[int(start * _RATE) : None if end is None else int(end * _RATE)] for start, end in spans]
    speech = SPEECH.samples(folder)
    others = [speech[: len(speech) // 2], speech[len(speech) // 2 :]]
    samples = []
    for half, behind in enumerate(map(_read, _BEHIND)):
        for k in range(_WITH):
            # Each half has words of its own; of a phrase there is one recording, in both.
            share = max(1, len(pieces) // 2)
            at = (k % share + half * share) % len(pieces)
            mixed = _mix_phrase(pieces[at], behind, k, half)
            samples.append(Sample(mixed, None, f"with-{half + 1}-{k + 1:02d}", source=f"recording {at + 1}"))
        samples += others[half][:_WITHOUT]
    return samples


def _read(name: str) -> NDArray[Any]:
    with package_data.stream_of(name).open("rb") as file:
        sound, rate = soundfile.read(file, dtype="float32")
    assert rate == _RATE, name
    result: NDArray[Any] = sound
    return result


def _mix_phrase(phrase: NDArray[Any], behind: NDArray[Any], k: int, half: int) -> NDArray[Any]:
    """The phrase at its k-th place, level and ratio to the speech behind it: float32 [samples]."""
    size = int(_SECONDS * _RATE)
    gain, ratio = _GAINS[(k + half) % len(_GAINS)], _RATIOS[(k + 2 * half) % len(_RATIOS)]
    out = np.zeros(size, np.float32)
    begin = int((0.5 + 0.06 * k + 0.03 * half) * _RATE)
    end = min(size, begin + len(phrase))
    out[begin:end] = np.float32(gain) * phrase[: end - begin]
    if ratio is not None:
        start = k * _RATE // 2
        below = behind[start : start + size]
        loud, soft = (float(np.sqrt(np.mean(np.square(x[np.abs(x) > 0.01])))) for x in (gain * phrase, below))
        out[: len(below)] += np.float32(loud / soft * 10 ** (-ratio / 20)) * below
    return np.clip(out, -1.0, 1.0)
