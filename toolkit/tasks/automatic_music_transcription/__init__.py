"""Automatic music transcription: which notes are played in a sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Sample, Task
from edgekit.tasks.automatic_music_transcription.notes import Note
from edgekit.tasks.automatic_music_transcription.transcriber import Transcriber
from edgekit.tasks.common.folders import sounds
from edgekit.tasks.evidence.music import SCORES


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "notes": [[start, end, pitch], ...]}, in seconds and MIDI pitches);
    without it every sound below, without a truth.

    Raises:
        BadInput: another layout, or an absent file.
    """
    expected = '{"audio": ..., "notes": [[start, end, pitch], ...]}, in seconds and MIDI pitches'
    return sounds(folder, lambda entry: [_note(*note) for note in entry["notes"]], expected)


def _note(start: float, end: float, pitch: int) -> Note:
    if not 0 <= float(start) <= float(end) or not 0 <= int(pitch) <= 127:
        raise ValueError("no note")
    return {"start": float(start), "end": float(end), "pitch": int(pitch)}


#: Semitones above and below the notes, and the least that are shown.
_AROUND, _LEAST = 2, 12


def draw_prediction(prediction: Prediction) -> Any:
    """A bar for each note, over seconds and MIDI pitches: a PIL image."""
    from edgekit.tasks.common.drawing import Axes

    notes = prediction.details["events"]
    pitches = [note["pitch"] for note in notes] or [60]
    low = min(pitches) - _AROUND
    high = max(max(pitches) + _AROUND, low + _LEAST)
    axes = Axes((0.0, prediction.details["seconds"]), (low, high), ("seconds", "MIDI pitch (60 is middle C)"))
    for note in notes:
        axes.bar((note["start"], note["end"]), (note["pitch"] - 0.4, note["pitch"] + 0.4), number=note["pitch"] % 6)
    return axes.image


_F1 = "F1 of notes against fp32's"
#: Least F1 at which two answers are the same.
_SAME = 0.9


def _answer(prediction: Prediction) -> list[Note]:
    return [
        {"start": round(note["start"], 3), "end": round(note["end"], 3), "pitch": note["pitch"]}
        for note in prediction.details["events"]
    ]


def _pairs(answers: Sequence[Any], reference: Sequence[Any]) -> list[tuple[float, float]]:
    from edgekit.bench.metrics.notes import onset_f1

    return onset_f1(answers, reference)


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [twice >= _SAME * notes for twice, notes in _pairs(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    twice, notes = (sum(numbers) for numbers in zip(*_pairs(answers, reference), strict=True))
    return {_F1: twice / notes if notes else 1.0}


TASK = Task(
    "automatic-music-transcription",
    "sound",
    "answers",
    lambda folder, labels: samples(folder),
    Transcriber,
    metric="onset-f1",
    golden="data/golden/golden-tune.flac",
    # Of a stranger's network no F1 is known that would be too low; its loss is judged.
    evaluation=Evaluation("onset-f1", worst=None, drop=0.01, minimum=20),
    evidence=SCORES,
    agreement=Agreement(
        f"notes with an F1 of at least {_SAME} against fp32's",
        _answer,
        _same,
        bar=0.9,
        figures=_figures,
        bars={_F1: 0.95},
        bounds=False,
    ),
    show=lambda sample, prediction: draw_prediction(prediction),
)
