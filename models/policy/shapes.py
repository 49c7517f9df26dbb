"""Shapes of policies, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from edgekit.core import Work
from edgekit.numerics.layers import linear, work

#: Widths between the observation and the action.
HIDDEN = (128, 64)


@dataclass(frozen=True)
class Robot:
    """What a robot senses and does: numbers of an observation and of an action."""

    observations: int
    actions: int

    @property
    def parameters(self) -> int:
        """Of its policy."""
        sizes = (self.observations, *HIDDEN, self.actions)
        return sum(a * b + b for a, b in pairwise(sizes))


def policy_work(robot: Robot, calls: int) -> tuple[Work, ...]:
    """Work of a policy for so many observations."""
    sizes = (robot.observations, *HIDDEN, robot.actions)
    return (work("network", "vector", [linear(a, b) for a, b in pairwise(sizes)], calls),)
