"""Feature extraction: from a sentence to a vector of length 1, so that similar sentences have similar directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreement import least_cosine, near_vectors, rank_correlation, vector
from edgekit.tasks.evidence.texts import SENTENCES

#: Least cosine of a vector with the reference's of the same sample.
_NEAR = 0.99
_RANKS = "rank correlation of similarities"


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.common.texts import lines

    return lines(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.feature_extraction.sentences import Sentences

    return Sentences(parts, folder, facts)


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {"least cosine": least_cosine(answers, reference), _RANKS: rank_correlation(answers, reference)}


TASK = Task(
    "feature-extraction",
    "text",
    "answers",
    _samples,
    _predictor,
    golden="data/golden/golden-sentence.txt",
    evidence=SENTENCES,
    agreement=Agreement(
        f"a cosine of at least {_NEAR} with fp32's vector",
        vector,
        near_vectors(_NEAR),
        bar=0.9,
        figures=_figures,
        bars={_RANKS: 0.99},
        bounds=False,
    ),
)
