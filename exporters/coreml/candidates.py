"""A part as a Core ML program with smaller weights, for the search for layers that keep more bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, torch
from edgekit.core import Feeds, Progress
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.plan import LayerPlan, Plan
from edgekit.runtimes.coreml.interpreter.program import Program

Outputs: TypeAlias = "dict[str, NDArray[Any]]"

#: Operator -> its weights and its bias, by the names that it has for them.
Constants: TypeAlias = "dict[str, dict[str, torch.Tensor]]"

#: Relative error of a part's outputs that a precision may make where that can be had. For int8 a cosine of 0.9994.
AIMS = {"int8": 0.035, "int6": 0.08, "int4": 0.1}


class Compressed(Candidates[Constants]):
    """A converted program, measured in the interpreter. What is made of it are other constants for some layers.

    Args:
        plain: in float. compress: form -> what makes a program whose layers have it.
        feeds: inputs, at least one. place: where programs are saved for a while.

    Attributes:
        unable: the program cannot be interpreted, so nothing can be measured.
    """

    def __init__(
        self,
        part: str,
        plain: Any,
        compress: Mapping[str, Callable[[], Any]],
        feeds: Sequence[Feeds],
        place: Path,
        tell: Progress,
    ) -> None:
        super().__init__(part, feeds, tell)
        self._place, self._compress = place, compress
        self._programs = {"float": self._save_program("float", plain)}
        self._plain = self._programs["float"]
        self.unable = bool(self._plain.unknown)
        self.weights = {name: held.numel() for name, held in self._plain.layers.items()}

    def make(self, plan: Plan) -> Constants:
        forms = {layer: plan.forms[layer].form if layer in plan.forms else plan.form for layer in self.weights}
        return {
            name: self._program(form).constants(name)
            for layer, form in forms.items()
            for name in self._plain.sharing(layer)
        }

    def run(self, made: Constants | None, feeds: Sequence[Feeds]) -> list[Outputs]:
        return [self._plain(feed, made or {}) for feed in feeds]

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Iterator[tuple[str, list[Outputs]]]:
        small, old = self._program(plan.form), self._plain.layers
        values = [self._plain.record_values(one) for one in feeds]
        for name in (name for name in old if name not in plan.forms and not old[name].equal(small.layers[name])):
            yield name, [self._plain.again(call, name, small) for call in values]

    def with_shared(self, plan: Plan) -> dict[str, LayerPlan]:
        """The layers of other forms, and those that have the same weights; without those whose weights are computed."""
        measured = {layer: own for layer, own in plan.forms.items() if layer in self.weights}
        return {name: own for layer, own in measured.items() for name in self._plain.sharing(layer)}

    def _program(self, form: str) -> Program:
        if form not in self._programs:
            self._programs[form] = self._save_program(form, self._compress[form]())
        return self._programs[form]

    def _save_program(self, form: str, program: Any) -> Program:
        file = self._place / f"{form}.mlpackage"
        program.save(str(file))
        return Program(file)
