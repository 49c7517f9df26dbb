"""Which layers keep more bits than the recipe says: those that alone move the answers most, for their size.

A network of small weights is only as good as its worst layers, and these are often its smallest: 1 % of EfficientNet's
weights makes half of the error that all of them make in int8. So what each layer does alone is measured on the
calibration inputs, in the interpreter; then the cheapest set is kept that brings the whole below an aim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core import Feeds, Progress
from edgekit.exporters.coreml.interpreter.program import Program

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AIMS", "kept"]

#: Relative error of a part's outputs that a precision may make where that can be had. For int8 a cosine of 0.9994.
AIMS = {"int8": 0.035, "int6": 0.08, "int4": 0.2}
#: Inputs that the whole is measured on, evenly spaced; layers alone, which takes longer, on the worst of these.
_SEEN, _ALONE = 48, 2
#: By how much the worst of them may be above the aim (0.0385 is a cosine of 0.9993), as it may be an oddity that many
#: weights would have to be kept for; and how often a choice that was too small is made again, then for less.
_SLACK, _TRIES = 1.1, 4
#: With a larger share of the weights in more bits it would be another precision, whatever the aim.
_SHARE = 0.4

Outputs = Mapping[str, "NDArray[Any]"]
Make = Callable[[Sequence[str], str], Path]


def kept(make: Make, plain: Path, precision: str, feeds: Sequence[Feeds], part: str, tell: Progress) -> dict[str, str]:
    """Layers that keep more bits -> why; none where the whole is near enough without.

    Args:
        feeds: inputs of the part, at least one.
        make: (kept layers, name of a folder) -> the compressed program, saved. plain: the program before, saved.
    """
    last = len(feeds) - 1
    feeds = [feeds[i * last // (_SEEN - 1)] for i in range(_SEEN)] if last >= _SEEN else feeds
    float_, small = Program(plain), Program(make((), "all"))
    truths, whole = list[Outputs](), list[float]()
    for i, one in enumerate(feeds):
        tell(f"measuring {part} on its inputs", i, len(feeds))
        truths.append(float_(one))
        whole.append(_worst(small(one), truths[-1]))
    aim = AIMS[precision] ** 2
    if max(whole) <= aim:
        return {}
    worst = sorted(range(len(feeds)), key=lambda i: -whole[i])[:_ALONE]
    alone = _alone(
        float_,
        small,
        [feeds[i] for i in worst],
        [truths[i] for i in worst],
        lambda i, n: tell(f"measuring layers of {part} alone", i, n),
    )
    weights = {name: float_.layers[name].numel() for name in alone}
    goal, chosen = aim, list[str]()
    for i in range(_TRIES):
        more = _cheapest(alone, weights, goal)
        if more == chosen:
            break
        chosen = more
        tell(f"{part} with {len(chosen)} layers in more bits", i, _TRIES)
        tried = Program(make([name for one in chosen for name in float_.sharing(one)], f"kept-{i}"))
        most = max(_worst(tried(one), truth) for one, truth in zip(feeds, truths, strict=True))
        if most <= _SLACK**2 * aim:
            break
        goal *= 0.9 * aim / most
    return {
        name: f"alone in {precision} it moves the outputs by {float(alone[one].max()) ** 0.5:.2%}"
        for one in chosen
        for name in float_.sharing(one)
    }


def _alone(
    plain: Program, small: Program, feeds: Sequence[Feeds], truths: Sequence[Outputs], tell: Callable[[int, int], None]
) -> dict[str, NDArray[np.float64]]:
    """Layer -> squared relative errors with its weights compressed and all others as they were."""
    old, new = plain.layers, small.layers
    differing = [name for name in old if not old[name].equal(new[name])]
    found = {name: list[Any]() for name in differing}
    for i, (one, truth) in enumerate(zip(feeds, truths, strict=True)):
        values = plain.remembered(one)
        for j, name in enumerate(differing):
            tell(i * len(differing) + j, len(feeds) * len(differing))
            found[name].append(_squares(plain.again(values, name, small), truth))
    return {name: np.concatenate(squares) for name, squares in found.items()}


def _squares(made: Outputs, truth: Outputs) -> NDArray[np.float64]:
    """Squared relative error of every output of a call."""
    squares = []
    for name, value in truth.items():
        wide = value.astype(np.float64)
        error = np.square(made[name] - wide).sum() / (np.square(wide).sum() or 1.0)
        squares.append(float(error) if np.isfinite(error) else np.inf)
    return np.array(squares)


def _worst(made: Outputs, truth: Outputs) -> float:
    return float(_squares(made, truth).max())


def _cheapest(alone: Mapping[str, NDArray[np.float64]], weights: Mapping[str, int], goal: float) -> list[str]:
    """Few weights, as a greedy choice finds them, without which the sums of the others' squares are below `goal`, or as
    near as a share of the weights brings them.

    Errors of layers are nearly independent of one another, so their squares add up.
    """
    left, total = dict(alone), sum(alone.values(), np.zeros(1))
    chosen: list[str] = []
    room = _SHARE * sum(weights.values())
    while left and (total > goal).any():
        over = np.maximum(total - goal, 0)
        best = max(left, key=lambda name: float(np.minimum(left[name], over).sum()) / weights[name])
        room -= weights[best]
        if room < 0:
            break
        total = total - left.pop(best)
        chosen.append(best)
    return chosen
