"""Speech recognition: from a sound to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Sample, Task
from edgekit.tasks.automatic_speech_recognition.letters import Letters
from edgekit.tasks.common.agreement import same_words, words
from edgekit.tasks.common.folders import sounds
from edgekit.tasks.evidence.speech import SPEECH


def _text(prediction: Prediction) -> str:
    return str(prediction.metric_input)


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "text", "language"}); without it, every sound, without a truth."""
    return sounds(folder, lambda entry: str(entry["text"]), '{"audio": ..., "text": ...}', language="language")


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {_WORDS: words(answers, reference)}


_WORDS = "share of the same words"

TASK = Task(
    "automatic-speech-recognition",
    "sound",
    "answers",
    _samples,
    Letters,
    metric="wer",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no error rate is known that would be too high; its loss is judged.
    evaluation=Evaluation("wer", worst=None, drop=0.01, minimum=20),
    evidence=SPEECH,
    # The floor is of positions: whole clips are a coarse measure.
    agreement=Agreement(
        "the same words", _text, same_words, bar=0.6, figures=_figures, bars={_WORDS: 0.95}, least=0.95
    ),
)
