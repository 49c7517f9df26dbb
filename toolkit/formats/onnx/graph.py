"""Nodes and graphs of an ONNX model in plain Python, and walks over a parsed model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np, numpy_helper, onnx
from edgekit.errors import BadInput, Unsupported

#: onnxruntime's own operators.
CONTRIB = "com.microsoft"


@dataclass(frozen=True)
class Node:
    """An operator's use.

    Attributes:
        kind: the operator; with its domain in front where that is not ONNX's own ("com.microsoft.Gelu").
        version: of the operator set that it is from.
        inputs, outputs: names of values; "" where an optional one is absent.
        attributes: numbers, strings (as str), lists of them, and arrays. graphs: the attributes that are graphs.
    """

    name: str
    kind: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    graphs: Mapping[str, Graph]

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or what it is by default."""
        return self.attributes.get(name, default)

    def refusal(self, why: str) -> Unsupported:
        """The error for what cannot be translated."""
        return Unsupported(
            f"the operator {self.kind} (node {self.name!r}) cannot be translated: {why}.",
            hint="Use --runtime onnxruntime or openvino, which take the graph as it is.",
        )


@dataclass(frozen=True)
class Graph:
    """A graph: nodes in an order in which they can run, constants by name, names of inputs and outputs."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def title(node: onnx.NodeProto) -> str:
    """A node's name, or the name of its output where it has none."""
    return node.name or next(iter(node.output), "")


def graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The graph of a model and all graphs inside it."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += [inner for node in graph.node for inner in _inner(node)]


def nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes of a model, those of its functions and of inner graphs too."""
    for graph in graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _inner(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def reads(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, those that its inner graphs read included."""
    names = set(node.input)
    for inner in _inner(node):
        names |= {value.name for value in inner.output}
        for each in inner.node:
            names |= reads(each)
    return names


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All constants of a model: initializers, and tensors in attributes."""
    for graph in graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def bytes_of(tensor: onnx.TensorProto) -> int:
    """How many bytes the values of a tensor take in `raw_data`."""
    if any(size < 0 for size in tensor.dims):
        raise BadInput(f"the weight {tensor.name!r} of this .onnx file has the shape {list(tensor.dims)}.")
    count: int = math.prod(tensor.dims)
    if tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4, onnx.TensorProto.FLOAT4E2M1):
        return -(-count // 2)
    try:
        return int(count * np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize)
    except KeyError:
        raise BadInput(f"the weight {tensor.name!r} of this .onnx file has no dtype that ONNX knows.") from None


def array_of(tensor: onnx.TensorProto) -> NDArray[Any]:
    """The values of a tensor.

    Raises:
        BadInput: it has more or fewer values than its shape needs.
    """
    bytes_of(tensor)
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, NotImplementedError) as exc:
        raise BadInput(
            f"the weight {tensor.name!r} of this .onnx file does not fit its shape {list(tensor.dims)}: {exc}.",
            hint="The file may be truncated: download or export it again.",
        ) from None


def graph_of(graph: onnx.GraphProto, versions: Mapping[str, int]) -> Graph:
    """A parsed graph in plain Python; what `Constant` nodes hold is among its constants.

    Args:
        versions: domain ("" for ONNX's own) -> version of its operator set.
    """
    constants = {tensor.name: array_of(tensor) for tensor in graph.initializer}
    kept: list[Node] = []
    for proto in graph.node:
        node = _node(proto, versions)
        if node.kind == "Constant":
            constants[node.outputs[0]] = _constant(node)
        else:
            kept.append(node)
    inputs = tuple(value.name for value in graph.input if value.name not in constants)
    return Graph(tuple(kept), constants, inputs, tuple(value.name for value in graph.output))


def _node(proto: onnx.NodeProto, versions: Mapping[str, int]) -> Node:
    attributes: dict[str, Any] = {}
    inner: dict[str, Graph] = {}
    for attribute in proto.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.type == attribute.GRAPH:
            inner[attribute.name] = graph_of(value, versions)
        else:
            attributes[attribute.name] = _plain(value)
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    kind = f"{domain}.{proto.op_type}" if domain else proto.op_type
    return Node(title(proto), kind, versions.get(domain, 1), tuple(proto.input), tuple(proto.output), attributes, inner)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto):
        return array_of(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _constant(node: Node) -> NDArray[Any]:
    for name, value in node.attributes.items():
        if name == "value":
            return np.asarray(value)
        if name in ("value_float", "value_floats"):
            return np.asarray(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.asarray(value, np.int64)
    raise node.refusal("it holds strings or a sparse tensor")
