"""Notes of music: which of them were heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.core import Facts

#: A note is heard if its onset is at most this many seconds away (MIREX; mir_eval's default).
_NEAR = 0.05


def onset_f1(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """F1 of notes by pitch and onset: per sound, (2 x matched notes, notes of the output + notes of the truth).

    As mir_eval's ``transcription`` without offsets, for whole MIDI pitches. A sound without any note in either weighs
    nothing.

    Args:
        outputs, truths: notes as mappings of ``start`` (seconds) and ``pitch`` (MIDI).

    Raises:
        BadInput: lengths differ, or a sample has no truth.
    """
    pairs = side_by_side(outputs, truths, "a sample has no truth; the F1 of notes needs the notes of each.")
    return [(2.0 * count_matches(output, truth), float(len(output) + len(truth))) for output, truth in pairs]


def count_matches(output: Sequence[Facts], truth: Sequence[Facts]) -> int:
    """The most pairs of an output's note and a truth's of the same pitch and nearly the same onset."""
    heard, played = _by_pitch(output), _by_pitch(truth)
    return sum(_pairs(starts, played.get(pitch, [])) for pitch, starts in heard.items())


def _by_pitch(notes: Sequence[Mapping[str, Any]]) -> dict[int, list[float]]:
    starts = defaultdict(list)
    for note in notes:
        starts[int(note["pitch"])].append(float(note["start"]))
    return {pitch: sorted(times) for pitch, times in starts.items()}


def _pairs(first: Sequence[float], second: Sequence[float]) -> int:
    """Of two sorted series, taking the earliest possible partner each time: no other choice makes more pairs."""
    count = i = j = 0
    while i < len(first) and j < len(second):
        away = round(first[i] - second[j], 9)
        if abs(away) <= _NEAR:
            count, i, j = count + 1, i + 1, j + 1
        elif away < 0:
            i += 1
        else:
            j += 1
    return count
