"""Speech recognition: from a sound to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Prediction, Sample, Task
from edgekit.tasks.common.agreement import same_words, words
from edgekit.tasks.evidence.speech import SPEECH


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.automatic_speech_recognition.samples import samples

    return samples(folder)


def _text(prediction: Prediction) -> str:
    return str(prediction.scored)


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {_WORDS: words(answers, reference)}


_WORDS = "share of the same words"

TASK = Task(
    "automatic-speech-recognition",
    "sound",
    "answers",
    _samples,
    metric="wer",
    golden="data/golden/jfk.flac",
    evidence=SPEECH,
    agreement=Agreement("the same words", _text, same_words, bar=0.6, figures=_figures, bars={_WORDS: 0.95}),
)
