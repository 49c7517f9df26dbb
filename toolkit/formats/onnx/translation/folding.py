"""What follows from constants alone, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from edgekit.common.lazy import NDArray, np
from edgekit.errors import EdgekitError
from edgekit.formats.onnx.graph import Graph, Node
from edgekit.formats.onnx.translation.evaluation import evaluate
from edgekit.formats.onnx.translation.values import Held, to_tensor

#: A constant of more elements is not made of smaller ones: it would be kept instead of computed.
_LARGE = 1 << 22


def fold(graph: Graph, outer: Mapping[str, NDArray[Any]] | None = None) -> Graph:
    """`graph` without the nodes that see constants alone; inner graphs see the constants of outer ones."""
    constants: dict[str, NDArray[Any]] = {name: _plain(array) for name, array in graph.constants.items()}
    visible = {**(outer or {}), **constants}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.graphs:
            node = replace(node, graphs={name: fold(inner, visible) for name, inner in node.graphs.items()})
        answers = _fold_node(node, visible)
        if answers is None:
            nodes.append(node)
            continue
        for name, array in zip(node.outputs, answers, strict=False):
            if name:
                constants[name] = visible[name] = array
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _fold_node(node: Node, constants: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]] | None:
    """The outputs of a node as arrays, or None if it sees more than constants, or nobody can compute it."""
    if node.graphs or any(name and name not in constants for name in node.inputs):
        return None
    values = [Held(constants[name]) if name else None for name in node.inputs]
    try:
        with torch.no_grad():
            out = evaluate(node, values)
    except (EdgekitError, RuntimeError, ValueError, TypeError, IndexError, KeyError):
        return None  # whoever needs it meets the error again, with everything around it
    arrays = [
        value.array if isinstance(value, Held) else to_tensor(value).numpy() for value in out if value is not None
    ]
    needed = [name for name in node.outputs if name]
    large = sum(array.size for array in arrays) > max(_LARGE, 2 * sum(v.array.size for v in values if v is not None))
    return None if len(arrays) < len(needed) or large else [np.asarray(array) for array in arrays]


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """In a dtype that torch has: small floats as float32, whole numbers of 4 bits as 8."""
    name = array.dtype.name
    if name.startswith(("bfloat16", "float8", "float4")):
        return array.astype(np.float32)
    if name in ("int4", "uint4", "int2", "uint2"):
        return array.astype(np.int8 if name.startswith("int") else np.uint8)
    return array
