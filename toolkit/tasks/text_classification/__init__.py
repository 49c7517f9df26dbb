"""Text classification: from a text, or a pair of texts, to labels."""

from __future__ import annotations

from edgekit.core import Agreement, Evaluation, Task
from edgekit.tasks.common.agreement import label, same_value
from edgekit.tasks.common.texts import texts
from edgekit.tasks.evidence.texts import SENTENCES
from edgekit.tasks.text_classification.judgement import Judgement

TASK = Task(
    "text-classification",
    "text",
    "answers",
    texts,
    Judgement,
    metric="accuracy",
    golden="data/golden/golden-sentence.txt",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.01, minimum=200),
    evidence=SENTENCES,
    agreement=Agreement("the same top label", label, same_value, bar=0.85),
)
