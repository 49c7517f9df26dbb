"""From a network's scores to labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Prediction
from edgekit.core.options import check_names
from edgekit.errors import BadInput

#: Labels of an answer's ranking that metrics use.
_RANKED = 10


def top_of(options: Mapping[str, object], default: int = 5, of: str = "labels") -> int:
    """The option ``top``: how many are listed. Raises BadInput for another option or value."""
    check_names(options, ("top",))
    top = options.get("top", default)
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise BadInput(f"top is a number of {of}, not {top!r}.")
    return top


def rank_labels(
    values: Any, labels: Sequence[str], activation: str, top: int, notes: Sequence[str], units: Mapping[str, float]
) -> Prediction:
    """The answer of a classifier.

    Args:
        values: of every label. activation: "softmax" or "sigmoid" if they are logits, "none" if they are the answer.
    """
    scores: NDArray[Any] = np.asarray(values, np.float32).reshape(-1)
    if len(scores) != len(labels):
        raise BadInput(f"the network has {len(scores)} scores for {len(labels)} labels.")
    if activation == "softmax":
        scores = np.exp(scores - scores.max())
        scores = scores / scores.sum()
    elif activation == "sigmoid":
        scores = 1.0 / (1.0 + np.exp(-scores))
    order = scores.argsort(kind="stable")[::-1]
    listed = [{"label": labels[i], "class_index": int(i), "score": float(scores[i])} for i in order[:top]]
    lines = [f"{entry['score']:7.4f}  {entry['label']}" for entry in listed]
    ranking = tuple(labels[i] for i in order[:_RANKED])
    return Prediction(ranking[0], {"scores": listed, "lines": lines, "notes": list(notes)}, units, score=ranking)
