"""Nodes that torch has a single operator for, which the exporters and their quantizers know: `Linear`, convolutions
with their bias and normalization, recurrent layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Graph, Node

Array = NDArray[Any]
#: The gates in torch's order, by their places in ONNX's.
_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def recurrent(node: Node, constants: Mapping[str, Array], add: Callable[[str, Array], str]) -> Node | None:
    """`node` as torch's own layer, or None if it is none that torch has.

    Args:
        add: enter a constant, and get its name.
    """
    if node.kind not in _ORDER or not _is_torch(node, constants):
        return None
    inputs = [*node.inputs, *[""] * (8 - len(node.inputs))]
    weights: list[str] = []
    order = _ORDER[node.kind]
    for place in range(constants[inputs[1]].shape[0]):
        arrays = [constants[name][place] for name in inputs[1:3]]
        if inputs[3]:
            arrays += np.split(constants[inputs[3]][place], 2)
        names = (inputs[1], inputs[2], f"{inputs[3]}.input", f"{inputs[3]}.hidden")
        for name, array in zip(names, arrays, strict=False):
            gates = np.split(array, len(order))
            weights.append(add(f"{name}.{place}", np.concatenate([gates[gate] for gate in order])))
    attributes = {name: node.get(name) for name in ("direction", "layout") if node.get(name) is not None}
    attributes |= {"hidden_size": constants[inputs[2]].shape[-1], "biased": bool(inputs[3])}
    return replace(
        node, kind=f"edgekit.{node.kind}", inputs=(inputs[0], inputs[5], inputs[6], *weights), attributes=attributes
    )


def _is_torch(node: Node, constants: Mapping[str, Array]) -> bool:
    inputs = [*node.inputs, *[""] * (8 - len(node.inputs))]
    if any(name not in constants for name in inputs[1:4] if name) or inputs[4] or inputs[7]:
        return False
    default = _DEFAULTS[node.kind] * (2 if node.get("direction") == "bidirectional" else 1)
    if (node.get("activations") or default) != default or node.get("clip") or node.get("input_forget", 0):
        return False
    return node.kind != "GRU" or bool(node.get("linear_before_reset", 0))


def fuse(graph: Graph, outer: Mapping[str, Array] | None = None) -> Graph:
    """`graph` with such nodes joined; inner graphs too."""
    return _Fusion(graph, outer or {}).run()


class _Fusion:
    def __init__(self, graph: Graph, outer: Mapping[str, Array]) -> None:
        self.graph = graph
        self.constants = dict(graph.constants)
        self.visible = {**outer, **self.constants}
        self.uses = Counter(_names(graph))

    def run(self) -> Graph:
        nodes: list[Node] = []
        #: Output of a product -> its place in `nodes`: what may still take up what follows it.
        open_at: dict[str, int] = {}
        for node in self.graph.nodes:
            if node.graphs:
                node = replace(node, graphs={name: fuse(inner, self.visible) for name, inner in node.graphs.items()})
            joined = self._fold_into_product(node, nodes, open_at)
            if joined is not None:
                place, merged = joined
                nodes[place] = merged
                open_at[merged.outputs[0]] = place
                continue
            node = self._product(node) or recurrent(node, self.visible, self._add) or node
            if node.kind in ("edgekit.Linear", "Conv", "ConvTranspose"):
                open_at[node.outputs[0]] = len(nodes)
            nodes.append(node)
        return replace(self.graph, nodes=tuple(nodes), constants=self._prune_constants(nodes))

    def _prune_constants(self, nodes: list[Node]) -> dict[str, Array]:
        used = {*self.graph.outputs, *(name for node in nodes for name in _read(node))}
        return {name: array for name, array in self.constants.items() if name in used}

    def _add(self, name: str, array: Array) -> str:
        """Enter a constant; a name that is taken by another gets a number."""
        place, count = name, 1
        while place in self.visible:
            if self.visible[place].shape == array.shape and np.array_equal(self.visible[place], array):
                return place
            count += 1
            place = f"{name}_{count}"
        self.constants[place] = self.visible[place] = np.ascontiguousarray(array)
        return place

    def _product(self, node: Node) -> Node | None:
        """A product with a constant matrix as `Linear`."""
        if node.kind == "MatMul" and (matrix := self.visible.get(node.inputs[1])) is not None and matrix.ndim == 2:
            weight, bias = matrix.T, ""
        elif node.kind == "Gemm" and self._plain_gemm(node):
            matrix = self.visible[node.inputs[1]]
            weight = (matrix if node.get("transB", 0) else matrix.T) * matrix.dtype.type(node.get("alpha", 1.0))
            bias = node.inputs[2] if len(node.inputs) > 2 else ""
            if bias:
                added = self.visible[bias] * matrix.dtype.type(node.get("beta", 1.0))
                bias = self._add(bias, np.array(np.broadcast_to(added.reshape(-1), weight.shape[:1])))
        else:
            return None
        if weight.dtype.kind != "f":
            return None
        name = self._add(node.inputs[1], np.array(weight))
        inputs = (node.inputs[0], name, *([bias] if bias else []))
        return replace(node, kind="edgekit.Linear", inputs=inputs, attributes={})

    def _plain_gemm(self, node: Node) -> bool:
        matrix = self.visible.get(node.inputs[1])
        if matrix is None or node.get("transA", 0) or matrix.dtype.kind != "f":
            return False
        if len(node.inputs) < 3 or not node.inputs[2]:
            return True
        added = self.visible.get(node.inputs[2])
        width = matrix.shape[0] if node.get("transB", 0) else matrix.shape[1]
        return added is not None and added.size in (1, width) and (added.ndim < 2 or added.shape[0] == 1)

    def _fold_into_product(self, node: Node, nodes: list[Node], open_at: Mapping[str, int]) -> tuple[int, Node] | None:
        """The product before `node` with what `node` does to it, and its place."""
        if node.kind not in ("Add", "BatchNormalization"):
            return None
        for source in node.inputs[:2] if node.kind == "Add" else node.inputs[:1]:
            place = open_at.get(source)
            if place is None or self.uses[source] > 1 or source in self.graph.outputs:
                continue
            before = nodes[place]
            if node.kind == "Add":
                merged = self._with_bias(before, next(name for name in node.inputs if name != source), node)
            else:
                merged = self._fold_normalization(before, node)
            if merged is not None:
                return place, merged
        return None

    def _with_bias(self, before: Node, name: str, node: Node) -> Node | None:
        added = self.visible.get(name)
        if added is None:
            return None
        weight = self.visible.get(before.inputs[1])
        if weight is None or added.dtype != weight.dtype:
            return None
        shape = [-1] if before.kind == "edgekit.Linear" else [-1] + [1] * (weight.ndim - 2)
        channels = _channels(before, weight)
        rank = len(shape)
        if added.size != channels or added.ndim < rank or list(added.shape[-rank:]) != [channels, *shape[1:]]:
            return None
        if added.ndim > rank + (before.kind != "edgekit.Linear"):  # it would make a tensor of more axes
            return None
        if before.kind == "edgekit.Linear" and added.ndim > 1:
            return None
        bias = added.reshape(-1)
        if len(before.inputs) > 2 and before.inputs[2]:
            if before.inputs[2] not in self.visible:
                return None
            bias = bias + self.visible[before.inputs[2]]
            name = before.inputs[2]
        inputs = (*before.inputs[:2], self._add(name, bias))
        return replace(before, inputs=inputs, outputs=node.outputs)

    def _fold_normalization(self, before: Node, node: Node) -> Node | None:
        """A convolution whose outputs are normalized by constants, with the normalization in its weights."""
        weight = self.visible.get(before.inputs[1])
        parts = [self.visible.get(name) for name in node.inputs[1:5]]
        old = self.visible.get(before.inputs[2]) if len(before.inputs) > 2 and before.inputs[2] else 0.0
        if before.kind == "edgekit.Linear" or weight is None or old is None or node.get("training_mode", 0):
            return None
        if any(part is None for part in parts) or weight.dtype.kind != "f" or any(node.outputs[1:]):
            return None
        scale, shift, mean, variance = (np.asarray(part, np.float64) for part in parts)
        factor = scale / np.sqrt(variance + node.get("epsilon", 1e-5))
        bias = (shift + (old - mean) * factor).astype(weight.dtype)
        rest = [1] * (weight.ndim - 2)
        if before.kind == "Conv":
            scaled = weight * factor.reshape([-1, 1, *rest])
        else:
            groups = before.get("group", 1)
            each = factor.reshape([groups, 1, -1, *rest])
            scaled = (weight.reshape([groups, -1, *weight.shape[1:]]) * each).reshape(weight.shape)
        inputs = (
            before.inputs[0],
            self._add(before.inputs[1], scaled.astype(weight.dtype)),
            self._add(node.inputs[2], bias),
        )
        return replace(before, inputs=inputs, outputs=node.outputs[:1])


def _channels(node: Node, weight: Array) -> int:
    """How many channels a product gives."""
    return int(weight.shape[1] * node.get("group", 1) if node.kind == "ConvTranspose" else weight.shape[0])


def _read(node: Node) -> list[str]:
    """The names that a node reads, inner graphs included."""
    return [*filter(None, node.inputs), *(name for inner in node.graphs.values() for name in _names(inner))]


def _names(graph: Graph) -> list[str]:
    return [*graph.outputs, *(name for node in graph.nodes for name in _read(node))]
