"""Weights of a captured graph that lie on int8's grid before PT2E sees them (see `edgekit.quantization.snapping`)."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from edgekit.core import Feeds, Part
from edgekit.exporters.executorch.int8 import layers, tensors
from edgekit.exporters.executorch.tidy import PRODUCTS, Graph, Node
from edgekit.quantization.samples import spaced
from edgekit.quantization.snapping import CALLS, Inputs, Snapped, Window, snapped


def rounded(part: Part, graph: Graph, feeds: Sequence[Feeds]) -> dict[str, Snapped]:
    """Layer -> its weights on the grid, as torch orders them, and the shift of its bias.

    Left out, so rounded to nearest: layers that share their weights, and convolutions in three dimensions.
    """
    named = layers(graph)
    shared = Counter(node.args[1].target for node in named.values())
    seen = {
        name: inputs for name, node in named.items()
        if shared[node.args[1].target] == 1 and (inputs := _inputs(node)) is not None
    }  # fmt: skip
    calls = spaced(feeds, CALLS)
    recorder = _Recorder(graph, {named[name]: inputs for name, inputs in seen.items()}, len(calls))
    with torch.no_grad():
        for feed in calls:
            recorder.run(*tensors(part, feed))
    out = {}
    for name, inputs in seen.items():
        biased = len(named[name].args) > 2 and named[name].args[2] is not None
        weights = np.moveaxis(_held(graph, named[name].args[1]).numpy(), 1, -1)
        made = snapped(weights, inputs, biased=biased)
        out[name] = Snapped(np.moveaxis(made.weights, -1, 1), made.shift)
    return out


def replaced(graph: Graph, made: Mapping[str, Snapped]) -> Graph:
    """A copy of `graph` with the weights in `made`, and biases that take up their shift."""
    graph = copy.deepcopy(graph)
    for name, node in layers(graph).items():
        if name not in made:
            continue
        _set(graph, node.args[1], torch.from_numpy(np.ascontiguousarray(made[name].weights)))
        bias = node.args[2] if len(node.args) > 2 else None
        if bias is not None and bias.op == "get_attr":
            _set(graph, bias, _held(graph, bias) + torch.from_numpy(made[name].shift))
    return graph


class _Recorder(torch.fx.Interpreter):
    def __init__(self, graph: Graph, seen: Mapping[Node, Inputs], count: int) -> None:
        super().__init__(graph)
        self._seen, self._calls = seen, count

    def run_node(self, n: Node) -> Any:
        if n in self._seen:
            values = self.env[n.args[0]].detach().float()
            if n.target not in PRODUCTS:
                values = (values if values.ndim == 4 else values[:, :, None]).movedim(1, -1)
            self._seen[n].see(values.numpy(), self._calls)
        return super().run_node(n)


def _inputs(node: Node) -> Inputs | None:
    if node.target in PRODUCTS:
        return Inputs()
    shape, rest = node.args[1].meta["val"].shape, dict(enumerate(node.args[3:]))
    sides = len(shape) - 2
    # convolution: strides, pads, dilations, transposed, output pads, groups; conv1d and conv2d: groups after dilations
    whole = node.target is torch.ops.aten.convolution.default
    if sides not in (1, 2) or isinstance(rest.get(1, 0), str) or (whole and rest[3]):
        return None

    def both(place: int, default: int) -> tuple[int, int]:
        given = rest.get(place, default)
        values = [given] * sides if isinstance(given, int) else list(given) * (sides // len(given))
        return (values[0], values[1]) if sides == 2 else (default, values[0])

    down, across = both(1, 0)
    size = (int(shape[2]), int(shape[3])) if sides == 2 else (1, int(shape[2]))
    window = Window(size, both(0, 1), (down, across, down, across), both(2, 1))
    return Inputs(window, rest.get(5 if whole else 3, 1))


def _held(graph: Graph, node: Node) -> torch.Tensor:
    owner, _, name = str(node.target).rpartition(".")
    held: torch.Tensor = getattr(graph.get_submodule(owner), name).detach()
    return held


def _set(graph: Graph, node: Node, values: torch.Tensor) -> None:
    owner, _, name = str(node.target).rpartition(".")
    setattr(graph.get_submodule(owner), name, torch.nn.Parameter(values, requires_grad=False))
