"""Which layers keep more bits than the recipe says: those that alone move the answers most, for their size.

A network of small weights is only as good as its worst layers, and these are often its smallest: 1 % of EfficientNet's
weights makes half of the error that all of them make in int8. So what each layer does alone is measured on the
calibration inputs; then the cheapest set is kept that brings the whole below an aim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.numerics.parity import relative_error, spread
from edgekit.quantization.candidates import Candidates, Made
from edgekit.quantization.plan import Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.quantization.candidates import Outputs

__all__ = ["SHARE", "keep"]

#: Inputs that the whole is measured on, evenly spaced; layers alone, which takes longer, on the worst of these.
_SEEN, _ALONE = 48, 2
#: By how much the worst of them may be above the aim (for 0.035: a cosine of 0.9993), as it may be an oddity that many
#: weights would have to be kept for; and how often a choice that was too small is made again, then for less.
_SLACK, _TRIES = 1.1, 4
#: With a larger share of the weights in more bits it would be another precision, whatever the aim.
SHARE = 0.4


def keep(part: Candidates[Made], weights: Mapping[str, int], plan: Plan, aim: float, share: float = SHARE) -> Plan:
    """The plan with layers that keep more bits; none where all of it is near enough without.

    Args:
        part: with at least one input. weights: layer -> how many it has.
        aim: relative error of the outputs that a call of the whole may make.
        share: most of the weights that may keep more bits.
    """
    feeds = spread(part.feeds, _SEEN)
    small, truths, whole = part.make(plan), list[Any](), list[float]()
    for i, one in enumerate(feeds):
        part.tell(f"measuring {part.part} on its inputs", i, len(feeds))
        truths += part.run(None, [one])
        whole += (_squares(made, truths[i]).max() for made in part.run(small, [one]))
    aim **= 2
    if max(whole) <= aim:
        return plan
    alone: dict[str, NDArray[np.float64]] = {}
    for i in sorted(range(len(feeds)), key=lambda i: -whole[i])[:_ALONE]:
        for name, [outputs] in part.alone(plan, [feeds[i]]):
            part.tell(f"measuring layers of {part.part} alone", len(alone), len(weights))
            alone[name] = np.append(alone.get(name, ()), _squares(outputs, truths[i]))
    weights = {name: weights[name] for name in alone}
    goal, chosen = aim, list[str]()
    for i in range(_TRIES):
        more = _cheapest(alone, weights, goal, share)
        if more == chosen:
            break
        chosen = more
        part.tell(f"{part.part} with {len(chosen)} layers in more bits", i, _TRIES)
        why = {name: f"alone in {plan.form} it moves the outputs by {alone[name].max() ** 0.5:.2%}" for name in chosen}
        plan = replace(plan, floats=why)
        tried = part.make(plan)
        answers = (answer for one in feeds for answer in part.run(tried, [one]))
        most = max(_squares(answer, truth).max() for answer, truth in zip(answers, truths, strict=True))
        if most <= _SLACK**2 * aim:
            break
        goal *= 0.9 * aim / most
    return plan


def _squares(made: Outputs, truth: Outputs) -> NDArray[np.float64]:
    """Squared relative error of every output of a call."""
    return np.array([relative_error([made], [{name: value}]) ** 2 for name, value in truth.items()])


def _cheapest(
    alone: Mapping[str, NDArray[np.float64]], weights: Mapping[str, int], goal: float, share: float
) -> list[str]:
    """Few weights, as a greedy choice finds them, without which the sums of the others' squares are below `goal`, or as
    near as a share of the weights brings them.

    Errors of layers are nearly independent of one another, so their squares add up.
    """
    left, total = dict(alone), sum(alone.values(), np.zeros(1))
    chosen: list[str] = []
    room = share * sum(weights.values())
    while left and (total > goal).any():
        over = np.maximum(total - goal, 0)
        best = max(left, key=lambda name: float(np.minimum(left[name], over).sum()) / weights[name])
        room -= weights[best]
        if room < 0:
            break
        total = total - left.pop(best)
        chosen.append(best)
    return chosen
