"""Fill mask: from a text with a gap, written [MASK], to the likeliest words for it."""

from __future__ import annotations

from edgekit.core import Agreement, Task
from edgekit.tasks.common.agreement import same_value
from edgekit.tasks.common.texts import lines
from edgekit.tasks.evidence.texts import GAPPED
from edgekit.tasks.fill_mask.gaps import Gaps

TASK = Task(
    "fill-mask",
    "text",
    "answers",
    lambda folder, labels: lines(folder),
    Gaps,
    golden="data/golden/golden-masked.txt",
    evidence=GAPPED,
    agreement=Agreement("the same likeliest word", lambda prediction: str(prediction.output), same_value, bar=0.85),
)
