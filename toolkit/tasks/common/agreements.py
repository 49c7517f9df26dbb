"""How answers of a candidate are compared with the fp32 reference's: by label, by words, by direction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Prediction

__all__ = ["SAME_LABEL", "SAME_TOKEN", "SAME_WORDS", "cosines", "near_vectors", "spearman"]


def _output(prediction: Prediction) -> Any:
    return str(prediction.output)


def _equal(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    return [answer == wanted for answer, wanted in zip(answers, reference, strict=True)]


#: Of classifiers: their answer is a label.
SAME_LABEL = Agreement("the same top label", _output, _equal, bar=0.85)
#: Of language: their answer is the likeliest token.
SAME_TOKEN = Agreement("the same likeliest token", _output, _equal, bar=0.85)


def _words(prediction: Prediction) -> Any:
    """The words of a text in small letters, without punctuation."""
    text = unicodedata.normalize("NFKC", str(prediction.output)).lower()
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)


def _shared(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """1 minus the word error rate against the reference's texts."""
    errors = sum(_distance(answer, wanted) for answer, wanted in zip(answers, reference, strict=True))
    return {"words in common": 1.0 - errors / max(1, sum(map(len, reference)))}


def _distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The least number of words to change, add or leave out."""
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, second in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != second))
    return row[-1]


#: Of speech: a text that differs in a single word counts as another, so the bar is on the words, too.
SAME_WORDS = Agreement(
    "the same words", _words, _equal, bar=0.6, figures=_shared, bars={"words in common": 0.95}
)


def near_vectors(least: float, bar: float, ranks: float) -> Agreement:
    """Of embeddings, which `Prediction.details` hold under ``embedding``, of length 1.

    Args:
        least: cosine with the reference's. bar: share of samples that reach it. ranks: least rank correlation (Spearman) of
            the similarities of all pairs of samples.
    """

    def same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
        return [cosine >= least for cosine in cosines(answers, reference)]

    def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
        least_cosine = {"least cosine": min(cosines(answers, reference), default=0.0)}
        return {**least_cosine, "rank correlation": _ranks(answers, reference)}

    what = f"a vector whose cosine with fp32's is at least {least:g}"
    return Agreement(what, _embedding, same, bar, figures, {"rank correlation": ranks})


def _embedding(prediction: Prediction) -> Any:
    return [float(f"{value:.6g}") for value in prediction.details["embedding"]]


def cosines(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """The cosine of each pair of vectors; -1 where their lengths differ."""
    import numpy as np

    result = []
    for answer, wanted in zip(answers, reference, strict=True):
        one, other = np.asarray(answer, np.float64), np.asarray(wanted, np.float64)
        norms = float(np.linalg.norm(one) * np.linalg.norm(other)) if one.shape == other.shape else 0.0
        result.append(float(one @ other) / norms if norms > 0 else -1.0)
    return result


def _ranks(answers: Sequence[Any], reference: Sequence[Any]) -> float:
    """Spearman's correlation of the similarities of all pairs; 1 where there are fewer than 3 pairs."""
    import numpy as np

    if len(reference) < 3 or any(len(a) != len(b) for a, b in zip(answers, reference, strict=True)):
        return 1.0 if len(reference) < 3 else -1.0
    mine, wanted = (np.asarray(vectors, np.float64) for vectors in (answers, reference))
    pairs = np.triu_indices(len(wanted), 1)
    return spearman((mine @ mine.T)[pairs], (wanted @ wanted.T)[pairs])


def spearman(one: Any, other: Any) -> float:
    """Spearman's rank correlation of two arrays of the same length; equal values share their mean rank."""
    import numpy as np

    def ranks(values: Any) -> Any:
        _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        return (ends - (counts - 1) / 2.0)[index]

    first, second = ranks(np.asarray(one)), ranks(np.asarray(other))
    if first.std() == 0 or second.std() == 0:
        return float(np.array_equal(first, second))
    return float(np.corrcoef(first, second)[0, 1])
