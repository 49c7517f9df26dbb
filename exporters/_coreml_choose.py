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
from edgekit.exporters._coreml_mil import Program

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AIMS", "kept"]

#: Relative error of a part's outputs that a precision may make where that can be had. For int8 a cosine of 0.9994.
AIMS = {"int8": 0.035, "int6": 0.08, "int4": 0.2}
#: Inputs that layers are measured on, evenly spaced, and how often a choice that was too small is made again.
_MEASURED, _TRIES = 2, 4

Outputs = Mapping[str, "NDArray[Any]"]
Make = Callable[[Sequence[str], str], Path]


def kept(make: Make, plain: Path, precision: str, feeds: Sequence[Feeds], part: str, tell: Progress) -> dict[str, str]:
    """Layers that keep more bits -> why; none where the whole is near enough without.

    Args:
        feeds: inputs of the part, at least one.
        make: (kept layers, name of a folder) -> the compressed program, saved. plain: the program before, saved.
    """
    last = len(feeds) - 1
    feeds = [feeds[i * last // (_MEASURED - 1)] for i in range(_MEASURED)] if last >= _MEASURED else feeds
    float_, small = Program(plain), Program(make((), "all"))
    truths = [float_(one) for one in feeds]
    aim = AIMS[precision] ** 2
    if (_squares([small(one) for one in feeds], truths) <= aim).all():
        return {}
    alone = _alone(float_, small, feeds, truths, lambda i, n: tell(f"measuring layers of {part} alone", i, n))
    weights = {name: float_.layers[name].numel() for name in alone}
    goal, chosen = aim, list[str]()
    for i in range(_TRIES):
        more = _cheapest(alone, weights, goal)
        if more == chosen:
            break
        chosen = more
        tell(f"{part} with {len(chosen)} layers in more bits", i, _TRIES)
        tried = Program(make([name for one in chosen for name in float_.sharing(one)], f"kept-{i}"))
        worst = float(_squares([tried(one) for one in feeds], truths).max())
        if worst <= aim:
            break
        goal *= 0.9 * aim / worst
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
            found[name].append(_squares([plain.again(values, name, new[name])], [truth]))
    return {name: np.concatenate(squares) for name, squares in found.items()}


def _squares(made: Sequence[Outputs], truths: Sequence[Outputs]) -> NDArray[np.float64]:
    """Squared relative error of every output of every call."""
    squares = []
    for outputs, truth in zip(made, truths, strict=True):
        for name, value in truth.items():
            wide = value.astype(np.float64)
            error = np.square(outputs[name] - wide).sum() / (np.square(wide).sum() or 1.0)
            squares.append(float(error) if np.isfinite(error) else np.inf)
    return np.array(squares)


def _cheapest(alone: Mapping[str, NDArray[np.float64]], weights: Mapping[str, int], goal: float) -> list[str]:
    """Few weights, as a greedy choice finds them, without which the sums of the others' squares are below `goal`.

    Errors of layers are nearly independent of one another, so their squares add up.
    """
    left, total = dict(alone), sum(alone.values(), np.zeros(1))
    chosen: list[str] = []
    while left and (total > goal).any():
        over = np.maximum(total - goal, 0)
        best = max(left, key=lambda name: float(np.minimum(left[name], over).sum()) / weights[name])
        total = total - left.pop(best)
        chosen.append(best)
    return chosen
