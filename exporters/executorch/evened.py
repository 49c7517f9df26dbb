"""A graph of torch operators whose channels are evened out (see `edgekit.quantization.weights.streams`)."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import torch

from edgekit.common.lazy import NDArray, np
from edgekit.common.quiet import quiet
from edgekit.core import Feeds, Part
from edgekit.exporters.executorch import int8
from edgekit.exporters.executorch.tidy import CONVOLUTIONS, Graph, Node, constant_of, constant_padding
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.streams import CALLS, Streams, factors

_aten = torch.ops.aten
_GENERAL = _aten.convolution.default


def equalize_channels(part: Part, graph: Graph, feeds: Sequence[Feeds]) -> Graph | None:
    """The same function with channels that are more alike; None: they are alike enough, or nothing can take factors.

    Args:
        feeds: real inputs, for the range of every channel.
    """
    with quiet():
        made: Graph = copy.deepcopy(graph)
    streams = _streams(made).free()
    largest = _largest(part, made, set[str]().union(*(stream.tensors for stream in streams)), feeds)
    changed = False
    for stream in streams:
        divided = factors([largest[name] for name in stream.tensors])
        if divided is None:
            continue
        changed = True
        for node in stream.makers:
            for value in (constant_of(made, arg) for arg in node.args[1:3] if arg is not None):
                value.div_(_along(divided, 0, value))
        for node in stream.readers:
            weight = constant_of(made, node.args[1])
            weight.mul_(_along(divided, 0 if _depthwise(node) else 1, weight))
    return made if changed else None


def _along(factors: NDArray[np.float64], axis: int, value: torch.Tensor) -> torch.Tensor:
    shape = [-1 if at == axis else 1 for at in range(value.ndim)]
    return torch.from_numpy(factors).to(value.dtype).reshape(shape)


def _streams(graph: Graph) -> Streams[Node]:
    streams = Streams[Node]()
    used = Counter(str(node.target) for node in graph.graph.nodes if node.op == "get_attr" for _ in node.users)
    for node in graph.graph.nodes:
        sources = [source for source in node.all_input_nodes if source.op != "get_attr"]
        names = [*(source.name for source in sources), node.name]
        if node.op == "get_attr":
            continue
        if node.target in CONVOLUTIONS and len(sources) == 1 and _takes_factors(node, used):
            streams.of(sources[0].name).readers.append(node)
            streams.of(node.name).makers.append(node)
        elif node.target is _aten.relu.default or _over_positions(node) or _sum(node):
            streams.join(names)
        elif node.target is _aten.mul.Tensor and len(gates := [each.name for each in sources if _gate(each)]) == 1:
            streams.join([name for name in names if name not in gates])
            streams.fix(gates)
        else:
            streams.fix(names)
    return streams


def _takes_factors(node: Node, used: Counter[str]) -> bool:
    """Whether a convolution's constants are its own, and its inputs are either all read by every output or by one."""
    constants = [arg for arg in node.args[1:3] if arg is not None]
    own = all(arg.op == "get_attr" and used[str(arg.target)] == 1 for arg in constants)
    transposed = node.target is _GENERAL and node.args[6]
    return own and not transposed and (_groups(node) == 1 or _depthwise(node))


def _groups(node: Node) -> int:
    at = 8 if node.target is _GENERAL else 6
    return int(node.args[at]) if len(node.args) > at else 1


def _depthwise(node: Node) -> bool:
    weight = node.args[1].meta["val"]
    return bool(weight.shape[1] == 1 and _groups(node) == weight.shape[0])


def _gate(node: Node) -> bool:
    return node.target in (_aten.sigmoid.default, _aten.hardsigmoid.default)


def _sum(node: Node) -> bool:
    """Whether a node adds two tensors with the same axes."""
    two = node.target is _aten.add.Tensor and len(node.all_input_nodes) == 2 and not node.kwargs
    return two and _rank(node.args[0]) == _rank(node.args[1])


def _rank(node: Node) -> int:
    return int(node.meta["val"].ndim)


def _over_positions(node: Node) -> bool:
    """Whether a mean or padding leaves the channels (axis 1) alone; what is padded is zeros or the tensor's own."""
    if node.target is _aten.mean.dim:
        keeps = len(node.args) > 2 and bool(node.args[2])
        return keeps and not node.kwargs and not {0, 1} & {axis % _rank(node.args[0]) for axis in node.args[1]}
    if node.target in (_aten.reflection_pad1d.default, _aten.reflection_pad2d.default):
        return True
    own = node.target is _aten.pad.default and len(node.args) > 2 and node.args[2] != "constant"
    return (own or constant_padding(node) is not None) and len(node.args[1]) <= 2 * (_rank(node) - 2)


def _largest(
    part: Part, graph: Graph, names: Collection[str], feeds: Sequence[Feeds]
) -> dict[str, NDArray[np.float64]]:
    """The largest magnitude of every channel (axis 1) of each named tensor."""
    watching = _Watching(graph, names)
    for feed in subsample_evenly(feeds, CALLS) if names else ():
        with torch.no_grad():
            watching.run(*int8.tensors(part, feed))
    return watching.ends


class _Watching(torch.fx.Interpreter):
    """Runs a graph and keeps the largest magnitude of every channel."""

    def __init__(self, graph: Graph, names: Collection[str]) -> None:
        super().__init__(graph)
        self._names, self.ends = names, dict[str, NDArray[np.float64]]()

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if n.name in self._names:
            ends = value.movedim(1, 0).reshape(value.shape[1], -1).abs().amax(dim=1).double().numpy()
            self.ends[n.name] = np.maximum(self.ends.get(n.name, 0.0), ends)
        return value
