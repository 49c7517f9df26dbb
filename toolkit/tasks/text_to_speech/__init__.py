"""Text to speech: from a text to a voice that reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Task
from edgekit.tasks.common.texts import lines
from edgekit.tasks.evidence.spoken import SPOKEN
from edgekit.tasks.text_to_speech.speaker import Speaker
from edgekit.tasks.text_to_speech.spectra import encode_spectra

#: Largest distance of a sentence's spectra from fp32's, in dB. For scale: another seed of piper-joe is 2.2 to 2.5 dB
#: away, another sentence 11 to 13.
_NEAR = 1.5


def _distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    from edgekit.tasks.text_to_speech.spectra import distance

    return [distance(answer, wanted) for answer, wanted in zip(answers, reference, strict=True)]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [far <= _NEAR for far in _distances(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    far = _distances(answers, reference)
    return {"mean distance of spectra, dB": sum(far) / len(far), "largest, dB": max(far)} if far else {}


TASK = Task(
    "text-to-speech",
    "text",
    "answers",
    lambda folder, labels: lines(folder),
    Speaker,
    golden="data/golden/spoken.txt",
    evidence=SPOKEN,
    agreement=Agreement(
        f"spectra within {_NEAR:g} dB of fp32's, aligned in time",
        lambda prediction: encode_spectra(prediction.score, prediction.details["sample_rate"]),
        _same,
        bar=0.9,
        figures=_figures,
        bounds=False,
    ),
)
