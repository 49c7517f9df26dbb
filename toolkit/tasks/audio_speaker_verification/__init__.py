"""Speaker verification: whether the same person speaks in two clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Sample, Task
from edgekit.tasks.common.agreement import least_cosine, near_vectors, rank_correlation, vector
from edgekit.tasks.evidence.speech import VOICES

#: Least cosine of an embedding with the reference's of the same clip.
_NEAR = 0.98
_RANKS = "rank correlation of similarities"


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.audio_speaker_verification.trials import samples

    return samples(folder)


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {"least cosine": least_cosine(answers, reference), _RANKS: rank_correlation(answers, reference)}


TASK = Task(
    "audio-speaker-verification",
    "sound",
    "answers",
    _samples,
    metric="eer",
    golden="data/golden/jfk.flac",
    evidence=VOICES,
    agreement=Agreement(
        f"a cosine of at least {_NEAR} with fp32's embedding",
        vector,
        near_vectors(_NEAR),
        bar=0.9,
        figures=_figures,
        bars={_RANKS: 0.98},
        bounds=False,
    ),
)
