"""Comparing a candidate's answers with the fp32 reference's, for tasks' `edgekit.core.Agreement`.

Answers are what a bundle keeps, so they are JSON-able: a label, a text, a vector as a list of numbers. What is not
finite, or of another length than the reference's, never agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgekit.common.lazy import Doubles, np
from edgekit.core import Agreement, Prediction
from edgekit.errors import BadInput

_RANKS = "rank correlation of similarities"
#: Decimals of a vector of length 1 that are kept: an error of 1e-7 of a cosine, for a quarter of the bytes.
_DECIMALS = 4


def label(prediction: Prediction) -> str:
    """The top label of an answer: of a ranking (`Prediction.score`, best first) the first."""
    scored = prediction.metric_input
    return str(scored[0]) if isinstance(scored, (tuple, list)) else str(scored)


def vector(prediction: Prediction) -> list[float]:
    """The detail ``embedding`` of an answer, rounded for the manifest."""
    return [round(float(number), _DECIMALS) for number in prediction.details["embedding"]]


def same_value(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    """Whether answers are equal."""
    return [bool(answer == wanted) for answer, wanted in zip(answers, reference, strict=True)]


def same_words(answers: Sequence[str], reference: Sequence[str]) -> list[bool]:
    """Whether texts have the same words after Whisper's normalisation: case, punctuation and spelling do not count."""
    return [not errors for errors, _ in _word_errors(answers, reference)]


def words(answers: Sequence[str], reference: Sequence[str]) -> float:
    """The share of the reference's words that the texts have in common with it: 1 minus the word error rate.

    Of a reference without any word: 1.0 if the texts have none either, else 0.0.
    """
    return share_in_common(_word_errors(answers, reference))


def share_in_common(errors: Sequence[tuple[float, float]]) -> float:
    """The share of the references that is right, of (errors, length) of each text; without any length, whether there
    is no error."""
    wrong, total = (sum(numbers) for numbers in zip(*errors, strict=True)) if errors else (0.0, 0.0)
    return max(0.0, 1.0 - wrong / total) if total else float(not wrong)


def _word_errors(answers: Sequence[str], reference: Sequence[str]) -> list[tuple[float, float]]:
    from edgekit.bench import metrics

    return metrics.wer(answers, reference)


def of_vectors(cosine: float, ranks: float) -> Agreement:
    """The agreement of a task whose answers are vectors of length 1 (the detail ``embedding``).

    Args:
        cosine: the least cosine with the reference's vector at which two answers are the same.
        ranks: the least rank correlation of similarities.
    """

    def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
        return {"least cosine": least_cosine(answers, reference), _RANKS: rank_correlation(answers, reference)}

    what = f"a cosine of at least {cosine} with fp32's vector"
    same = near_vectors(cosine)
    return Agreement(what, vector, same, bar=0.9, figures=figures, bars={_RANKS: ranks}, bounds=False)


def of_distances(
    what: str,
    answer: Callable[[Prediction], Any],
    distances: Callable[[Sequence[Any], Sequence[Any]], Sequence[float]],
    near: float,
    names: tuple[str, str],
) -> Agreement:
    """The agreement of a task whose answers lie some distance from the reference's.

    Args:
        what, answer: see `Agreement`. near: the largest distance at which two answers are the same.
        distances: (answers, the reference's) -> the distance of each. names: of the mean and of the largest one.
    """

    def same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
        return [far <= near for far in distances(answers, reference)]

    def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
        far = distances(answers, reference)
        return {names[0]: sum(far) / len(far), names[1]: max(far)} if far else {}

    return Agreement(what, answer, same, bar=0.9, figures=figures, bounds=False)


def array_distances(
    answers: Sequence[Any], reference: Sequence[Any], measure: Callable[[Doubles, Doubles], Any]
) -> list[float]:
    """What `measure` says of each answer and the reference's, as float64 arrays of one shape.

    Infinite where an answer has another shape, or is not finite.
    """
    far = []
    for answer, wanted in zip(answers, reference, strict=True):
        mine, other = np.asarray(answer, np.float64), np.asarray(wanted, np.float64)
        same = mine.shape == other.shape and bool(np.isfinite(mine).all())
        far.append(float(measure(mine, other)) if same else float("inf"))
    return far


def near_vectors(least: float) -> Callable[[Sequence[Any], Sequence[Any]], list[bool]]:
    """Whether the cosine of two vectors is at least `least`."""

    def near(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
        return [cosine >= least for cosine in _cosines(answers, reference)]

    return near


def least_cosine(answers: Sequence[Any], reference: Sequence[Any]) -> float:
    """The least cosine of a vector and the reference's of the same sample."""
    return min(_cosines(answers, reference))


def rank_correlation(answers: Sequence[Any], reference: Sequence[Any]) -> float:
    """Spearman's correlation of the cosines of all pairs of samples: whether the same samples are alike.

    0.0 where a vector is not finite, or all pairs are equally alike.

    Raises:
        BadInput: fewer than three samples, which have no order of pairs.
    """
    if len(answers) != len(reference) or len(answers) < 3:
        raise BadInput(f"{len(answers)} vectors have no order of similarities to compare: three at least.")
    above = np.triu_indices(len(answers), 1)
    sides = []
    for vectors in (answers, reference):
        if len({len(numbers) for numbers in vectors}) != 1:
            return 0.0
        units = _unit(np.asarray(vectors, np.float64))
        sides.append((units @ units.T)[above])
    if not all(np.isfinite(side).all() for side in sides):
        return 0.0
    ranks = [_ranks(side) for side in sides]
    spread = [float(rank.std()) for rank in ranks]
    if not all(spread):
        return 0.0
    return float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / (spread[0] * spread[1]))


def _cosines(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """Of each pair; -1.0 where lengths differ or a value is not finite."""
    cosines = []
    for answer, wanted in zip(answers, reference, strict=True):
        if len(answer) != len(wanted):
            cosines.append(-1.0)
            continue
        units = _unit(np.asarray([answer, wanted], np.float64))
        cosine = float(units[0] @ units[1])
        cosines.append(cosine if np.isfinite(cosine) else -1.0)
    return cosines


def _unit(vectors: Doubles) -> Doubles:
    """Rows of length 1; a row of zeros becomes not a number."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: Doubles = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _ranks(values: Doubles) -> Doubles:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Doubles = (ends - counts + ends - 1) / 2.0
    return mean[place]
