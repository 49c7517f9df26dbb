"""Mean outputs of the layers of a PT2E graph, and shifted biases (see `edgekit.quantization.weights.biases`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.fx.node import map_arg

from edgekit.core import Feeds, Part
from edgekit.exporters.executorch.int8 import tensors
from edgekit.exporters.executorch.tidy import CONVOLUTIONS, WEIGHTED, Graph, Node
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.biases import CALLS, correct


def correct_biases(part: Part, graph: Graph, reference: Graph, feeds: Sequence[Feeds]) -> None:
    """Move the biases of the int8 `graph` so that every layer's mean output is that of the float `reference`."""
    chosen = [tensors(part, feed) for feed in subsample_evenly(feeds, CALLS)]
    seen: dict[str, tuple[Node, dict[Node, list[Any]]]] = {}

    def quantized_means() -> Iterator[tuple[str, torch.Tensor]]:
        for node, held in _walk(graph, chosen):
            bias = node.args[2] if len(node.args) > 2 else None
            if bias is not None and bias.op == "get_attr":
                seen[node.name] = node, held
                yield node.name, _mean(node, held[node])

    def shift(layer: str, by: torch.Tensor) -> None:
        (node, held), by = seen.pop(layer), by.float()
        owner, _, name = node.args[2].target.rpartition(".")
        module = graph.get_submodule(owner)
        setattr(module, name, torch.nn.Parameter(getattr(module, name).detach() + by, requires_grad=False))
        shape = [1] * held[node][0].ndim
        shape[_axis(node)] = -1
        held[node] = [out + by.reshape(shape) for out in held[node]]

    with torch.no_grad():
        correct(
            {node.name: _mean(node, held[node]) for node, held in _walk(reference, chosen)}, quantized_means(), shift
        )


def _axis(node: Node) -> int:
    return 1 if node.target in CONVOLUTIONS else -1


def _mean(node: Node, outputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of every channel, over all positions of all samples."""
    flat = torch.cat([out.movedim(_axis(node), -1).reshape(-1, out.shape[_axis(node)]) for out in outputs])
    return flat.double().mean(0)


def _walk(graph: Graph, calls: Sequence[Sequence[torch.Tensor]]) -> Iterator[tuple[Node, dict[Node, list[Any]]]]:
    """Compute node by node for all calls side by side; each layer, and all values, before the next one sees them."""
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
            held[node] = [_run_node(node, held, i) for i in range(len(calls))]
            if node.target in WEIGHTED:
                yield node, held
        for done in ends.get(node, ()):
            held.pop(done, None)


def _run_node(node: Node, held: Mapping[Node, list[Any]], call: int) -> Any:
    args, kwargs = map_arg((node.args, dict(node.kwargs)), lambda one: held[one][call])
    return node.target(*args, **kwargs)
