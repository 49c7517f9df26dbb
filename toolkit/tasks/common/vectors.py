"""Predictors whose answer is a vector of length 1, and the comparison of several."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, np
from edgekit.core import Prediction, Predictor
from edgekit.core.options import check_names
from edgekit.errors import BadInput

Vector: TypeAlias = "NDArray[np.float32]"

_MOST_TOGETHER = 64
#: Letters of a sample that a table shows.
_SHOWN = 60


class Embedder(Predictor):
    """From a sample to a vector of length 1; of two samples their cosine, of more a table of all pairs."""

    @abstractmethod
    def vector(self, sample: Any) -> tuple[Vector, list[str]]:
        """The vector of a sample, of length 1, and notes about what was lost. Raises BadInput."""

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The vector of a sample, in details under ``embedding``; of a pair of samples their similarity.

        Raises:
            BadInput: it cannot be used, or an option is unknown.
        """
        check_names(options, ())
        if isinstance(sample, tuple) and len(sample) == 2:
            return self.together(sample)
        vector, notes = self.vector(sample)
        first = " ".join(f"{value:.3f}" for value in vector[:4])
        details = {"embedding": vector.tolist(), "notes": notes, "lines": [f"{len(vector)} numbers: {first} ..."]}
        return Prediction(f"a vector of {len(vector)} numbers", details, {"samples": 1.0})

    def together(self, samples: Sequence[Any], **options: Any) -> Prediction:
        """Compare samples with each other. Raises BadInput: as `predict`, or too many."""
        check_names(options, ())
        if not 2 <= len(samples) <= _MOST_TOGETHER:
            raise BadInput(f"{len(samples)} samples cannot be compared at once: 2 to {_MOST_TOGETHER} can.")
        made = [self.vector(sample) for sample in samples]
        pairs: list[dict[str, Any]] = [
            {
                "a": _describe_sample(samples[i]),
                "b": _describe_sample(samples[j]),
                "score": float(made[i][0] @ made[j][0]),
            }
            for i, j in combinations(range(len(samples)), 2)
        ]
        notes = [
            f"{_describe_sample(sample)}: {note}"
            for sample, (_, notes) in zip(samples, made, strict=True)
            for note in notes
        ]
        units, details = {"samples": float(len(samples))}, {"pairs": pairs, "notes": notes}
        if len(samples) == 2:
            score = pairs[0]["score"]
            return Prediction(f"similarity {score:.3f}", {**details, "score": score}, units, score=score)
        ranked = sorted(pairs, key=lambda pair: -pair["score"])
        lines = [f"{pair['score']:6.3f}  {pair['a']}  |  {pair['b']}" for pair in ranked]
        return Prediction("\n".join(lines), details, units)


def unit(values: Any) -> Vector:
    """A vector of length 1. Raises BadInput if it has no direction."""
    flat = np.asarray(values, np.float32).reshape(-1)
    length = float(np.linalg.norm(flat.astype(np.float64)))
    if not 0 < length < float("inf"):
        raise BadInput("the network's vector of this sample has no direction.")
    return (flat / np.float32(length)).astype(np.float32)


def _describe_sample(sample: Any) -> str:
    if not isinstance(sample, (str, Path)):
        return "an array"
    text = " ".join(str(sample).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
