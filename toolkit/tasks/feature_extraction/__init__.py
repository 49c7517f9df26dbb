"""Feature extraction: from a sentence to a vector of length 1, so that similar sentences have similar directions."""

from __future__ import annotations

from edgekit.core import Task
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.common.texts import lines
from edgekit.tasks.evidence.texts import SENTENCES
from edgekit.tasks.feature_extraction.sentences import Sentences

TASK = Task(
    "feature-extraction",
    "text",
    "answers",
    lambda folder, labels: lines(folder),
    Sentences,
    golden="data/golden/golden-sentence.txt",
    evidence=SENTENCES,
    agreement=of_vectors(cosine=0.99, ranks=0.99),
)
