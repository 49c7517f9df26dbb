"""Recommendation: from the items that a person liked to the items that this person may like next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Task
from edgekit.tasks.common.drawing import render_text
from edgekit.tasks.recommendation.histories import samples
from edgekit.tasks.recommendation.recommender import Recommender

#: Items of an answer that are compared, and how many of these must be fp32's.
_FIRST, _SAME = 10, 9


def _answer(prediction: Prediction) -> list[int]:
    return [int(item) for item in prediction.metric_input["items"][:_FIRST]]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [len(set(answer) & set(wanted)) >= _SAME for answer, wanted in zip(answers, reference, strict=True)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    pairs = list(zip(answers, reference, strict=True))
    if not pairs:
        return {}
    shared = [len(set(answer) & set(wanted)) / max(1, len(wanted)) for answer, wanted in pairs]
    first = [answer[:1] == wanted[:1] for answer, wanted in pairs]
    return {"mean share of the same items": sum(shared) / len(shared), "the same first item": sum(first) / len(first)}


TASK = Task(
    "recommendation",
    "ids",
    "answers",
    lambda folder, labels: samples(folder),
    Recommender,
    metric="recall@10",
    golden="recommender/liked.txt",
    evaluation=Evaluation("recall@10", worst=None, drop=0.01, minimum=50),
    agreement=Agreement(
        f"{_SAME} of the first {_FIRST} items are fp32's, in any order", _answer, _same, 0.9, _figures, bounds=False
    ),
    show=lambda sample, prediction: render_text(prediction.details["lines"]),
)
