"""An ONNX graph whose channels are evened out (see `edgekit.quantization.weights.streams`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import onnx

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds
from edgekit.exporters.onnx.graph import attribute, constants, with_constants
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.streams import CALLS, Stream, Streams, factors
from edgekit.runtimes.onnxruntime.runner import open_model

Arrays: TypeAlias = "dict[str, NDArray[Any]]"

#: Operators that treat every channel alike, whatever its scale.
_ALIKE = ("Relu", "Identity", "GlobalAveragePool", "AveragePool", "MaxPool", "Dropout")
#: Operators whose result is a gate: it multiplies channels, and has no scale of its own.
_GATES = ("Sigmoid", "HardSigmoid")


def equalize_channels(model: onnx.ModelProto, feeds: Sequence[Feeds]) -> onnx.ModelProto | None:
    """The same function with channels that are more alike; None: they are alike enough, or nothing can take factors.

    Args:
        feeds: real inputs, for the range of every channel.
    """
    arrays = constants(model)
    streams = _Reading(model, arrays).streams.free()
    changed: Arrays = {}
    largest = _largest(model, streams, feeds)
    for stream in streams:
        divided = factors([largest[name] for name in stream.tensors])
        if divided is None:
            continue
        for node in stream.makers:
            for name in filter(None, node.input[1:3]):
                values = changed.get(name, arrays[name]).astype(np.float64)
                changed[name] = values / divided.reshape(-1, *[1] * (values.ndim - 1))
        for node in stream.readers:
            values = changed.get(node.input[1], arrays[node.input[1]]).astype(np.float64)
            axis = 0 if _depthwise(node, values) else 1
            changed[node.input[1]] = values * divided.reshape(*[1] * axis, -1, *[1] * (values.ndim - axis - 1))
    return with_constants(model, changed) if changed else None


class _Reading:
    """The streams of a graph."""

    def __init__(self, model: onnx.ModelProto, arrays: Arrays) -> None:
        self.streams, self._arrays = Streams[onnx.NodeProto](), arrays
        graph = onnx.shape_inference.infer_shapes(model).graph
        typed = (*graph.input, *graph.value_info, *graph.output)
        self._ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in typed}
        self._used = Counter(name for node in graph.node for name in node.input)
        self._makers = {output: node for node in graph.node for output in node.output}
        self.streams.fix([value.name for value in (*model.graph.input, *model.graph.output)])
        for node in model.graph.node:
            self._see(node)

    def _see(self, node: onnx.NodeProto) -> None:
        inputs = [name for name in node.input if name and name not in self._arrays]
        if node.op_type in ("Conv", "BatchNormalization") and inputs == node.input[:1] and self._own(node):
            self._with_constants(node)
        elif node.op_type in _ALIKE or (node.op_type in ("Pad", "ReduceMean") and self._over_positions(node)):
            self.streams.join([node.input[0], node.output[0]])
        elif node.op_type == "Add" and len(inputs) == 2 and len({self._ranks.get(name) for name in inputs}) == 1:
            self.streams.join([*inputs, node.output[0]])
        elif node.op_type == "Mul" and len(inputs) == 2 and len(gates := list(filter(self._gate, inputs))) == 1:
            self.streams.join([name for name in (*inputs, node.output[0]) if name not in gates])
            self.streams.fix(gates)
        else:
            self.streams.fix([*inputs, *node.output])

    def _with_constants(self, node: onnx.NodeProto) -> None:
        source, result = node.input[0], node.output[0]
        if node.op_type == "BatchNormalization":
            self.streams.fix([source])
        elif attribute(node, "group", 1) == 1 or _depthwise(node, self._arrays[node.input[1]]):
            self.streams.of(source).readers.append(node)
        else:
            self.streams.fix([source, result])
        self.streams.of(result).makers.append(node)

    def _own(self, node: onnx.NodeProto) -> bool:
        """Whether the constants that factors go into are the node's alone."""
        return all(self._used[name] == 1 for name in node.input[1:3] if name)

    def _gate(self, name: str) -> bool:
        return name in self._makers and self._makers[name].op_type in _GATES

    def _over_positions(self, node: onnx.NodeProto) -> bool:
        """Whether a Pad or a ReduceMean leaves the channels (axis 1) alone. A constant that is added must be 0."""
        rank, given = self._ranks.get(node.input[0], 0), [self._arrays.get(name) for name in node.input[1:]]
        if rank < 3 or not given or given[0] is None:
            return False
        if node.op_type == "ReduceMean":
            return bool(attribute(node, "keepdims", 1)) and 1 not in {int(axis) % rank for axis in given[0]}
        pads, value = given[0], given[1] if len(given) > 1 and node.input[2] else np.zeros(1)
        plain = attribute(node, "mode", b"constant") != b"constant" or (value is not None and not value.any())
        return bool(plain and len(pads) == 2 * rank and not pads[1] and not pads[rank + 1])


def _largest(
    model: onnx.ModelProto, streams: Sequence[Stream[onnx.NodeProto]], feeds: Sequence[Feeds]
) -> dict[str, NDArray[np.float64]]:
    """The largest magnitude of every channel (axis 1) of each tensor of the streams."""
    names = sorted(set[str]().union(*(stream.tensors for stream in streams)))
    if not names:
        return {}
    runner = open_model(model, names)
    ends = dict.fromkeys(names, np.zeros(1))
    for feed in subsample_evenly(feeds, CALLS):
        values = runner(feed)
        for name in names:
            channels = np.abs(np.moveaxis(values[name], 1, 0)).reshape(values[name].shape[1], -1)
            ends[name] = np.maximum(ends[name], channels.max(axis=1))
    return ends


def _depthwise(node: onnx.NodeProto, weight: NDArray[Any]) -> bool:
    return bool(weight.shape[1] == 1 and attribute(node, "group", 1) == weight.shape[0])
