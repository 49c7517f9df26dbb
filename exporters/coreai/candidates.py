"""A part with weights in int8, in torch, for the search for layers that stay float."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import torch

from edgekit.common.lazy import NDArray
from edgekit.core import Feeds, Part, Progress
from edgekit.exporters.common.rounding import round_weights
from edgekit.exporters.coreai.program import FEW, Weights, attribute, int8_of
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.plan import LayerPlan, Plan
from edgekit.quantization.weights.gptq import Grid

Outputs: TypeAlias = "dict[str, NDArray[Any]]"

#: What a layer may have -> bits a weight.
BITS: Mapping[str, float] = {"int8": 8, "float": 16}
#: Relative error of a part's outputs that int8 may make where that can be had: 33 dB, and half precision comes on top.
AIM = 0.022


class Rounded(Candidates[torch.nn.Module]):
    """A module whose weights lie on grids of int8.

    Args:
        layers: name in the module -> its weights. feeds: inputs, by which weights are rounded and errors measured.
    """

    def __init__(
        self, part: Part, module: torch.nn.Module, layers: Mapping[str, Weights], feeds: Sequence[Feeds], tell: Progress
    ) -> None:
        super().__init__(part.name, feeds, tell)
        self._part, self._module = part, module
        self._held = {name: held for name, held in layers.items() if held.count >= FEW}
        self.layers = list(self._held)

    def plan(self) -> Plan:
        """All in int8, but the layers that the model says stay float."""
        own = {name: LayerPlan("float", "the model says so") for name in self._part.float_layers if name in self._held}
        return Plan("int8", forms=own)

    def make(self, plan: Plan) -> torch.nn.Module:
        return self._round(plan, self._by_inputs)

    @cached_property
    def _by_inputs(self) -> bool:
        """Whether weights are rounded by inputs. Of a network that hears loud and silent, it may serve the loud alone:
        then each is rounded to nearest."""
        if not self.feeds:
            return False
        near, plain = (self.error(self._round(self.plan(), by_inputs)) for by_inputs in (True, False))
        return near <= plain

    def _round(self, plan: Plan, by_inputs: bool) -> torch.nn.Module:
        module = copy.deepcopy(self._module)
        whole = {name: held for name, held in self._held.items() if name not in plan.forms}
        if by_inputs:

            def grid(name: str, outputs: int) -> Grid | None:
                return Grid(8) if name in whole else None

            what = f"rounding weights of {self.part}"
            round_weights(module, self._part, self.feeds, grid, lambda i, n: self.tell(what, i, n), least=FEW)
        for held in whole.values():  # those of recurrent layers are left by it
            _round_to_nearest(module, held)
        return module

    def run(self, made: torch.nn.Module | None, feeds: Sequence[Feeds]) -> list[Outputs]:
        module = self._module if made is None else made
        answers = []
        for feed in feeds:
            with torch.no_grad():
                out = module(*(torch.from_numpy(feed[spec.name].copy()) for spec in self._part.inputs))
            outs = out if isinstance(out, tuple | list) else (out,)
            answers.append({spec.name: one.numpy() for spec, one in zip(self._part.outputs, outs, strict=True)})
        return answers

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Iterator[tuple[str, list[Outputs]]]:
        """Layer -> outputs where it alone is rounded, to nearest."""
        for name in (name for name in self.layers if name not in plan.forms):
            tensor = attribute(self._module, self._held[name].path)
            before = tensor.data
            try:
                _round_to_nearest(self._module, self._held[name])
                yield name, self.run(None, feeds)
            finally:
                tensor.data = before


def _round_to_nearest(module: torch.nn.Module, held: Weights) -> None:
    tensor = attribute(module, held.path)
    small, scale = int8_of(tensor.detach(), held.axis)
    tensor.data = small * scale
