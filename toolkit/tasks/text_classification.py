"""Text classification: from a text, or a pair of texts, to labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Facts, Prediction, Predictor, Runner, Task, fact_of
from edgekit.tasks.common.agreement import label, same_value
from edgekit.tasks.common.labels import rank_labels, top_of
from edgekit.tasks.common.texts import texts
from edgekit.tasks.common.tokens import Tokens, text_of
from edgekit.tasks.evidence.texts import SENTENCES


class Judgement(Predictor):
    """Labels of a text. `facts`: ``labels``, ``activation``, ``tokenizer`` (`edgekit.tasks.common.tokens.Tokens`).

    `predict` takes the option ``top``: the number of labels listed.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._tokens = parts["network"], Tokens(folder, facts)
        self._labels, self._activation = fact_of(facts, "labels", list[str]), fact_of(facts, "activation", str)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Classify a text (a file that ends in .txt is read), or a pair: a tuple, or two texts with a tab between.

        Raises:
            BadInput: it is empty or no text, or an option is unknown.
        """
        top = top_of(options)
        text, pair = _texts(sample)
        feeds, cut = self._tokens.feeds(self._network.inputs, text, pair)
        notes = ["it is longer than the network takes; its end is left out"] if cut else []
        values = self._network(feeds)[self._network.outputs[0].name]
        return rank_labels(values, self._labels, self._activation, top, notes, {"texts": 1.0})


def _texts(sample: Any) -> tuple[str, str | None]:
    if isinstance(sample, tuple) and len(sample) == 2:
        return text_of(sample[0]), text_of(sample[1])
    first, tab, second = text_of(sample).partition("\t")
    return (first, second) if tab and first.strip() and second.strip() else (first + tab + second, None)


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
