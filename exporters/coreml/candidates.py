"""A part as a Core ML program with smaller weights, for the search for layers that keep more bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core import Feeds, Progress
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.plan import Plan
from edgekit.runtimes.coreml.interpreter.program import Program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Outputs = dict[str, NDArray[Any]]
    Compress = Callable[[Sequence[str]], Any]

__all__ = ["AIMS", "Compressed"]

#: Relative error of a part's outputs that a precision may make where that can be had. For int8 a cosine of 0.9994.
AIMS = {"int8": 0.035, "int6": 0.08, "int4": 0.15}


class Compressed(Candidates[Program]):
    """A converted program, measured in the interpreter; what is made of it is saved in `place`.

    Args:
        plain: in float. compress: makes it smaller but for some layers. feeds: inputs, at least one.

    Attributes:
        unable: the program cannot be interpreted, so nothing can be measured.
    """

    def __init__(
        self, part: str, plain: Any, compress: Compress, feeds: Sequence[Feeds], place: Path, tell: Progress
    ) -> None:
        super().__init__(part, feeds, tell)
        self._place, self._names = place, count()
        self._plain = self._saved(plain)
        self.unable = bool(self._plain.unknown)
        self.weights = {name: held.numel() for name, held in self._plain.layers.items()}
        self.program = lru_cache(maxsize=1)(compress)  # what was measured last is mostly what is chosen

    def make(self, plan: Plan) -> Program:
        return self._saved(self.program(tuple(self.kept(plan))))

    def run(self, made: Program | None, feeds: Sequence[Feeds]) -> list[Outputs]:
        return list(map(self._plain if made is None else made, feeds))

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Iterator[tuple[str, list[Outputs]]]:
        small, old = self.make(plan), self._plain.layers
        values = [self._plain.remembered(one) for one in feeds]
        for name in (name for name in old if not old[name].equal(small.layers[name])):
            yield name, [self._plain.again(call, name, small) for call in values]

    def kept(self, plan: Plan) -> dict[str, str]:
        """The layers that stay float, and those that have the same weights -> why."""
        return {name: why for layer, why in plan.floats.items() for name in self._plain.sharing(layer)}

    def _saved(self, program: Any) -> Program:
        file = self._place / f"{next(self._names)}.mlpackage"
        program.save(str(file))
        return Program(file)
