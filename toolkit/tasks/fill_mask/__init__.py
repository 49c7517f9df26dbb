"""Fill mask: from a text with a gap, written [MASK], to the likeliest words for it."""

from __future__ import annotations

from edgekit.core import Agreement, Prediction, Task
from edgekit.tasks.common.agreement import same_value
from edgekit.tasks.common.texts import lines
from edgekit.tasks.evidence.texts import GAPPED
from edgekit.tasks.fill_mask.gaps import Gaps


def _word(prediction: Prediction) -> str:
    return str(prediction.output)


TASK = Task(
    "fill-mask",
    "text",
    "answers",
    lambda folder, labels: lines(folder),
    Gaps,
    golden="data/golden/golden-masked.txt",
    evidence=GAPPED,
    agreement=Agreement("the same likeliest word", _word, same_value, bar=0.85),
)
