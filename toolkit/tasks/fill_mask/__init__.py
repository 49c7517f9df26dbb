"""Fill mask: from a text with a gap, written [MASK], to the likeliest words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.common.agreement import same_value
from edgekit.tasks.evidence.texts import GAPPED


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.common.texts import lines

    return lines(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.fill_mask.gaps import Gaps

    return Gaps(parts, folder, facts)


def _word(prediction: Prediction) -> str:
    return str(prediction.output)


TASK = Task(
    "fill-mask",
    "text",
    "answers",
    _samples,
    _predictor,
    golden="data/golden/golden-masked.txt",
    evidence=GAPPED,
    agreement=Agreement("the same likeliest word", _word, same_value, bar=0.85),
)
