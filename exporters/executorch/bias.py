"""Biases that make up for what rounding shifts, for graphs of PT2E (see `_litert_bias`, which does so for .tflite)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.fx.node import map_arg

from edgekit.core import Feeds, Part
from edgekit.exporters.executorch.int8 import tensors
from edgekit.exporters.executorch.tidy import CONVOLUTIONS, WEIGHTED, Graph, Node

#: Called with an operator that has weights and its outputs for every sample; gives what they are from then on.
Look = Callable[[Node, list[torch.Tensor]], list[torch.Tensor]]

#: Calls that means are taken over, evenly spaced.
_CALLS = 16


def corrected(part: Part, graph: Graph, reference: Graph, feeds: Sequence[Feeds]) -> None:
    """Move the biases of the int8 `graph` so that every layer's mean output is that of the float `reference`.

    First layer to last, each on the inputs that the int8 layers before it really give.
    """
    chosen = [tensors(part, feed) for feed in feeds[:: max(1, -(-len(feeds) // _CALLS))]]
    wanted: dict[str, torch.Tensor] = {}

    def note(node: Node, outputs: list[torch.Tensor]) -> list[torch.Tensor]:
        wanted[node.name] = _means(node, outputs)
        return outputs

    def shift(node: Node, outputs: list[torch.Tensor]) -> list[torch.Tensor]:
        bias = node.args[2] if len(node.args) > 2 else None
        if node.name not in wanted or bias is None or bias.op != "get_attr":
            return outputs
        by = (wanted[node.name] - _means(node, outputs)).float()
        owner, _, name = bias.target.rpartition(".")
        held = graph.get_submodule(owner)
        setattr(held, name, torch.nn.Parameter(getattr(held, name).detach() + by, requires_grad=False))
        shape = [1] * outputs[0].ndim
        shape[_axis(node)] = -1
        return [out + by.reshape(shape) for out in outputs]

    with torch.no_grad():
        _walk(reference, chosen, note)
        _walk(graph, chosen, shift)


def _axis(node: Node) -> int:
    return 1 if node.target in CONVOLUTIONS else -1


def _means(node: Node, outputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of every channel, over all positions of all samples."""
    flat = torch.cat([out.movedim(_axis(node), -1).reshape(-1, out.shape[_axis(node)]) for out in outputs])
    return flat.double().mean(0)


def _walk(graph: Graph, calls: Sequence[Sequence[torch.Tensor]], look: Look) -> None:
    """Compute node by node for all calls side by side, so that a layer can be changed before the next one sees it."""
    held: dict[Node, list[Any]] = {}
    last = {argument: node for node in graph.graph.nodes for argument in node.all_input_nodes}
    ends: Mapping[Node, list[Node]] = {node: [a for a, by in last.items() if by is node] for node in set(last.values())}
    inputs = iter(range(len(calls[0])))
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            place = next(inputs)
            held[node] = [call[place] for call in calls]
        elif node.op == "get_attr":
            owner, _, name = str(node.target).rpartition(".")
            held[node] = [getattr(graph.get_submodule(owner), name)] * len(calls)
        elif node.op == "call_function":
            held[node] = [_computed(node, held, i) for i in range(len(calls))]
            if node.target in WEIGHTED:
                held[node] = look(node, held[node])
        for done in ends.get(node, ()):
            held.pop(done, None)


def _computed(node: Node, held: Mapping[Node, list[Any]], call: int) -> Any:
    args, kwargs = map_arg((node.args, dict(node.kwargs)), lambda one: held[one][call])
    return node.target(*args, **kwargs)
