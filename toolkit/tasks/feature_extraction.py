"""Feature extraction: from a sentence to a vector of length 1, so that similar sentences have similar directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Facts, Runner, Task
from edgekit.tasks.common.agreement import of_vectors
from edgekit.tasks.common.texts import lines
from edgekit.tasks.common.tokens import Tokens, text_of
from edgekit.tasks.common.vectors import Embedder, Vector, unit
from edgekit.tasks.evidence.texts import SENTENCES


class Sentences(Embedder):
    """Sentences as vectors. `facts`: ``tokenizer`` (`edgekit.tasks.common.tokens.Tokens`)."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._tokens = parts["network"], Tokens(folder, facts)

    def vector(self, sample: Any) -> tuple[Vector, list[str]]:
        """Of a text, or a file that ends in .txt."""
        feeds, cut = self._tokens.feeds(self._network.inputs, text_of(sample))
        values = self._network(feeds)[self._network.outputs[0].name]
        return unit(values), ["it is longer than the network takes; its end is left out"] if cut else []


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
