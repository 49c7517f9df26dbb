"""Text to speech: from a text to a voice that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core import Task
from edgekit.tasks.common.agreement import of_distances
from edgekit.tasks.common.texts import lines
from edgekit.tasks.evidence.spoken import SPOKEN
from edgekit.tasks.text_to_speech.speaker import Speaker
from edgekit.tasks.text_to_speech.spectra import distance, encode_spectra

#: Largest distance of a sentence's spectra from fp32's, in dB. For scale: another seed of piper-joe is 2.2 to 2.5 dB
#: away, another sentence 11 to 13.
_NEAR = 1.5


def _distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    return [distance(answer, wanted) for answer, wanted in zip(answers, reference, strict=True)]


TASK = Task(
    "text-to-speech",
    "text",
    "answers",
    lambda folder, labels: lines(folder),
    Speaker,
    golden="data/golden/spoken.txt",
    evidence=SPOKEN,
    agreement=of_distances(
        f"spectra within {_NEAR:g} dB of fp32's, aligned in time",
        lambda prediction: encode_spectra(prediction.score, prediction.details["sample_rate"]),
        _distances,
        _NEAR,
        ("mean distance of spectra, dB", "largest, dB"),
    ),
)
