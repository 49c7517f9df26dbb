"""Feature extraction: from a sentence to a vector of length 1, so that similar sentences have similar directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.evidence.texts import SENTENCES


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.common.texts import lines

    return lines(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.feature_extraction.sentences import Sentences

    return Sentences(parts, folder, facts)


TASK = Task(
    "feature-extraction",
    "text",
    "answers",
    _samples,
    _predictor,
    golden="data/golden/golden-sentence.txt",
    evidence=SENTENCES,
    agreement=of_vectors(cosine=0.99, ranks=0.99),
)
