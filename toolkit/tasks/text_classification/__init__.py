"""Text classification: from a text, or a pair of texts, to labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreement import label, same_value
from edgekit.tasks.evidence.texts import SENTENCES


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.common.texts import texts

    return texts(folder, labels)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.text_classification.judgement import Judgement

    return Judgement(parts, folder, facts)


TASK = Task(
    "text-classification",
    "text",
    "answers",
    _samples,
    _predictor,
    metric="accuracy",
    golden="data/golden/golden-sentence.txt",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.01, minimum=200),
    evidence=SENTENCES,
    agreement=Agreement("the same top label", label, same_value, bar=0.85),
)
