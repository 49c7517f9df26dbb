"""The pipeline from a sentence to a vector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Facts, Runner
from edgekit.tasks.common.tokens import Tokens, text_of
from edgekit.tasks.common.vectors import Embedder, Vector, unit


class Sentences(Embedder):
    """Sentences as vectors. `facts`: ``tokenizer`` (`edgekit.tasks.common.tokens.Tokens`)."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._tokens = parts["network"], Tokens(folder, facts)

    def vector(self, sample: Any) -> tuple[Vector, list[str]]:
        """Of a text, or a file that ends in .txt."""
        feeds, cut = self._tokens.feeds(self._network.inputs, text_of(sample))
        values = self._network(feeds)[self._network.outputs[0].name]
        return unit(values), ["it is longer than the network takes; its end is left out"] if cut else []
