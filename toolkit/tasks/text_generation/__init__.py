"""Text generation: from a prompt to the text that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Predictor, Runner, Sample, Task
from edgekit.formats.gguf.language import EVALUATION
from edgekit.tasks.evidence.texts import TEXTS


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.text_generation.samples import samples

    return samples(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.text_generation.writer import Writer

    return Writer(parts, folder, facts)


TASK = Task(
    "text-generation",
    "text",
    "probabilities",
    _samples,
    _predictor,
    metric="perplexity",
    rate="tokens",
    golden="data/golden/golden-prompt.txt",
    evaluation=EVALUATION,
    evidence=TEXTS,
)
