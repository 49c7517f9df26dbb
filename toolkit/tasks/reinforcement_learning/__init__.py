"""Reinforcement learning: a policy, from what a robot's sensors say to what its motors do, a step at a time."""

from __future__ import annotations

from typing import Any

from edgekit.core import Prediction, Task
from edgekit.tasks.common.agreement import of_distances
from edgekit.tasks.reinforcement_learning.observations import distances, samples
from edgekit.tasks.reinforcement_learning.policy import Steering

#: Largest mean distance from fp32's actions over a stretch, of their range.
_NEAR = 0.05


def _answer(prediction: Prediction) -> Any:
    return [[round(value, 4) for value in action] for action in prediction.details["applied"]]


TASK = Task(
    "reinforcement-learning",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Steering(parts, facts),
    golden="policy/observations/half-cheetah-policy-golden.npz",
    agreement=of_distances(
        f"actions of a stretch within {_NEAR:.0%} of their range of fp32's, on average",
        _answer,
        distances,
        _NEAR,
        ("mean distance of actions", "largest distance of a stretch"),
    ),
)
