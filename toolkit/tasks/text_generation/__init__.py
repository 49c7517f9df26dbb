"""Text generation: from a prompt to the text that follows."""

from __future__ import annotations

from edgekit.core import Task
from edgekit.formats.gguf.language import EVALUATION
from edgekit.tasks.evidence.texts import TEXTS
from edgekit.tasks.text_generation.samples import samples
from edgekit.tasks.text_generation.writer import Writer

TASK = Task(
    "text-generation",
    "text",
    "probabilities",
    lambda folder, labels: samples(folder),
    Writer,
    metric="perplexity",
    rate="tokens",
    golden="data/golden/golden-prompt.txt",
    evaluation=EVALUATION,
    evidence=TEXTS,
)
