"""Automatic music transcription: which notes are played in a sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Task
from edgekit.tasks.automatic_music_transcription.drawn import draw_prediction
from edgekit.tasks.automatic_music_transcription.notes import Note
from edgekit.tasks.automatic_music_transcription.samples import samples
from edgekit.tasks.automatic_music_transcription.transcriber import Transcriber
from edgekit.tasks.evidence.music import SCORES

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
