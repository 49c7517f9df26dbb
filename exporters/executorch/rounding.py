"""Weights of an exported graph, rounded by the inputs of their layers (see `edgekit.quantization.snapping`).

The result is a float graph whose weights lie on the grid that PT2E will take: it rounds each to itself.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from edgekit.common.quiet import quiet
from edgekit.core import Feeds, Part
from edgekit.exporters.executorch import int8
from edgekit.exporters.executorch.tidy import CONVOLUTIONS, Graph, Node, held
from edgekit.quantization.samples import spaced
from edgekit.quantization.snapping import CALLS, Inputs, Window, snapped

__all__ = ["rounded"]

_general = torch.ops.aten.convolution.default


def rounded(part: Part, graph: Graph, feeds: Sequence[Feeds], tell: Callable[[int, int], None]) -> Graph:
    """A copy of the float `graph` with weights on a grid of int8, and biases that take up what rounding shifts.

    Left out, so rounded to nearest: layers that share their weights, transposed and three-dimensional convolutions.
    """
    with quiet():
        made: Graph = copy.deepcopy(graph)
    used = Counter(str(node.target) for node in made.graph.nodes if node.op == "get_attr" for _ in node.users)
    layers = {
        node: inputs for node in int8.layers(made).values()
        if used[str(node.args[1].target)] == 1 and (inputs := _inputs(node)) is not None
    }  # fmt: skip
    calls = spaced(feeds, CALLS)
    watching = _Watching(made, layers, len(calls))
    for i, feed in enumerate(calls):
        tell(i, len(calls))
        with torch.no_grad():
            watching.run(*int8.tensors(part, feed))
    for node, inputs in layers.items():
        bias = node.args[2] if len(node.args) > 2 else None
        own = bias is not None and bias.op == "get_attr" and used[str(bias.target)] == 1
        weight = held(made, node.args[1])
        shaped = snapped(weight.movedim(1, -1).contiguous().numpy(), inputs, biased=own)
        weight.copy_(torch.from_numpy(shaped.weights).movedim(-1, 1).reshape(weight.shape))
        if own:
            held(made, bias).add_(torch.from_numpy(shaped.shift))
    return made


class _Watching(torch.fx.Interpreter):
    """Runs a graph and shows every layer its input."""

    def __init__(self, graph: Graph, layers: Mapping[Node, Inputs], calls: int) -> None:
        super().__init__(graph)
        self._layers, self._calls = layers, calls

    def run_node(self, n: Node) -> Any:
        if (inputs := self._layers.get(n)) is not None:
            value = self.env[n.args[0]]
            if n.target in CONVOLUTIONS:
                value = (value if value.ndim == 4 else value[:, :, None]).movedim(1, -1)
            inputs.see(value.numpy(), self._calls)
        return super().run_node(n)


def _inputs(node: Node) -> Inputs | None:
    """What to record of a layer's inputs; None for one that is rounded to nearest."""
    if node.target not in CONVOLUTIONS:
        return Inputs()
    sides = node.args[1].meta["val"].ndim - 2
    if sides not in (1, 2):
        return None
    given = list(node.args)
    if node.target is _general:
        strides, pads, dilations, transposed, _, groups = given[3:9]
        if transposed:
            return None
    else:
        strides, pads, dilations, groups = given[3:] + [1, 0, 1, 1][max(len(given) - 3, 0) :]
    (down, across), (top, left), (below, beside) = (
        _both(value, sides, default) for value, default in ((strides, 1), (pads, 0), (dilations, 1))
    )
    size = _both(node.args[1].meta["val"].shape[2:], sides, 1)
    return Inputs(Window(size, (down, across), (top, left, top, left), (below, beside)), groups)


def _both(value: Any, sides: int, default: int) -> tuple[int, int]:
    """(vertical, horizontal) of an argument: a number, or one a side."""
    values = [value] * sides if isinstance(value, int) else list(value) * (sides // len(value))
    return (values[0], values[1]) if sides == 2 else (default, values[0])
