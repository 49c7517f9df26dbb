"""Reinforcement learning: a policy, from what a robot's sensors say to what its motors do, a step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Prediction, Task
from edgekit.tasks.reinforcement_learning.observations import samples
from edgekit.tasks.reinforcement_learning.policy import Steering

#: Largest mean distance from fp32's actions over a stretch, of their range; and the least share of stretches.
_NEAR, _BAR = 0.05, 0.9
_MEAN = "mean distance of actions"


def _answer(prediction: Prediction) -> Any:
    return [[round(value, 4) for value in action] for action in prediction.details["applied"]]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    from edgekit.tasks.reinforcement_learning.observations import distances

    return [distance <= _NEAR for distance in distances(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.tasks.reinforcement_learning.observations import distances

    far = distances(answers, reference)
    return {_MEAN: sum(far) / len(far), "largest distance of a stretch": max(far)} if far else {}


TASK = Task(
    "reinforcement-learning",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Steering(parts, facts),
    golden="policy/observations/half-cheetah-policy-golden.npz",
    agreement=Agreement(
        f"actions of a stretch within {_NEAR:.0%} of their range of fp32's, on average",
        _answer,
        _same,
        _BAR,
        _figures,
        bounds=False,
    ),
)
