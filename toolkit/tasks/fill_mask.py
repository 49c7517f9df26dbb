"""Fill mask: from a text with a gap, written [MASK], to the likeliest words for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Agreement, Facts, Prediction, Predictor, Runner, Task
from edgekit.errors import BadInput
from edgekit.tasks.common.agreement import same_value
from edgekit.tasks.common.labels import top_of
from edgekit.tasks.common.texts import lines
from edgekit.tasks.common.tokens import Tokens, text_of
from edgekit.tasks.evidence.texts import GAPPED

#: How a gap is written, whatever the network's own token for it.
_GAP = "[MASK]"


class Gaps(Predictor):
    """Words for gaps. `facts`: ``tokenizer``, with ``mask``, its token of a gap.

    `predict` takes the option ``top``: the number of words listed for each gap.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._tokens = parts["network"], Tokens(folder, facts)
        self._mask = self._tokens.mask
        number = self._tokens.number(self._mask)
        if number is None:
            raise ValueError(f"the tokenizer has no token {self._mask!r}")
        self._number = number

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The likeliest word for each gap of a text.

        Raises:
            BadInput: the text has no gap, or none among the tokens that the network takes; an option is unknown.
        """
        top = top_of(options)
        text = text_of(sample).replace(_GAP, self._mask)
        feeds, cut = self._tokens.feeds(self._network.inputs, text)
        ids = feeds["input_ids"][0]
        gaps = np.flatnonzero(ids == self._number)
        if not gaps.size:
            behind = ", or the gap is behind the tokens that the network takes" if cut else ""
            raise BadInput(
                f"the text has no gap{behind}.", hint=f'Write it as {_GAP}: "Paris is the capital of {_GAP}."'
            )
        logits = self._network(feeds)[self._network.outputs[0].name][0]
        listed, lines, words = [], [], []
        for gap in gaps:
            row = logits[gap].astype(np.float64)
            chances = np.exp(row - row.max())
            chances /= chances.sum()
            order = np.argsort(-row, kind="stable")[:top]
            entries = [{"token": self._word(int(i)), "id": int(i), "score": float(chances[i])} for i in order]
            listed.append(entries)
            lines += [f"{entry['score']:7.4f}  {entry['token']}" for entry in entries]
            words.append(entries[0]["token"])
        notes = ["it is longer than the network takes; its end is left out"] if cut else []
        details = {"gaps": listed, "lines": lines, "notes": notes}
        return Prediction(", ".join(map(str, words)), details, {"texts": 1.0})

    def _word(self, at: int) -> str:
        return self._tokens.text([at]).strip() or self._tokens.token(at)


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
