"""Which type each layer gets, so that all of them together fit a budget (of bytes, or of time) and lose least.

The loss of a layer is a squared error: errors of layers are nearly independent of one another, so they add up.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """What a layer can be: its loss and its cost in a type."""

    kind: str
    loss: float
    cost: int


def allocate(choices: Mapping[str, list[Choice]], budget: int, enough: float = 0.0) -> dict[str, Choice]:
    """Layer -> its type; the cheapest ones where even these are beyond `budget`, in the unit of their costs. No more is
    spent than brings the sum of losses down to `enough`.

    From the cheapest types on, the step that takes away most loss for its cost comes first (the greedy solution of the
    knapsack's convex hull, which no other is better than by more than a step).
    """
    steps = {name: _hull(own) for name, own in choices.items()}
    places = dict.fromkeys(steps, 0)
    left = budget - sum(own[0].cost for own in steps.values())
    lost = sum(own[0].loss for own in steps.values())
    queue = [(-_gain(own[0], own[1]), name) for name, own in steps.items() if len(own) > 1]
    heapq.heapify(queue)
    while queue and lost > enough:
        _, name = heapq.heappop(queue)
        own, place = steps[name], places[name]
        need = own[place + 1].cost - own[place].cost
        if need > left:
            continue
        left -= need
        lost -= own[place].loss - own[place + 1].loss
        places[name] = place = place + 1
        if place + 1 < len(own):
            heapq.heappush(queue, (-_gain(own[place], own[place + 1]), name))
    return {name: own[places[name]] for name, own in steps.items()}


def _gain(before: Choice, after: Choice) -> float:
    """Loss that is saved for a unit of cost."""
    return (before.loss - after.loss) / (after.cost - before.cost)


def _hull(choices: list[Choice]) -> list[Choice]:
    """Those that are worth it, the cheapest first: each saves less for its cost than the one before."""
    hull: list[Choice] = []
    for choice in sorted(choices, key=lambda choice: (choice.cost, choice.loss)):
        if hull and choice.loss >= hull[-1].loss:
            continue
        while len(hull) > 1 and _gain(hull[-2], hull[-1]) <= _gain(hull[-1], choice):
            hull.pop()
        if hull and hull[-1].cost == choice.cost:
            continue
        hull.append(choice)
    return hull
