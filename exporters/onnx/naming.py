"""Layers of a traced graph get the names that they have in the source (`edgekit.quantization.weights.identifiers`)."""

from __future__ import annotations

from typing import Any

import onnx
import torch

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.common.torch_export import weights_of
from edgekit.exporters.onnx.graph import attribute
from edgekit.exporters.onnx.recurrent import with_folded
from edgekit.quantization.weights.identifiers import Converted, Identifiers

#: Operators with weights -> the input that may hold them, and the axis of their outputs. A recurrent layer is named by
#: the weights of its inputs.
_WEIGHTED = {
    "Conv": (1, 0), "ConvTranspose": (1, 1), "MatMul": (1, -1), "Gemm": (1, 1), "Gather": (0, 0), "LSTM": (1, 0),
    "GRU": (1, 0), "RNN": (1, 0), "Einsum": (1, 0),
}  # fmt: skip


def name_layers(model: onnx.ModelProto, module: torch.nn.Module) -> dict[str, int]:
    """Rename the nodes of `model` that hold weights of `module`, in place; those with other weights -> how many."""
    arrays = with_folded(model)
    nodes = {node.name: node for node in model.graph.node}
    layers = {name: layer for name, node in nodes.items() if (layer := _read_layer(node, arrays)) is not None}
    names, lost = Identifiers(weights_of(module)).names(layers)
    taken = nodes.keys() - layers.keys()
    for own, name in names.items():
        nodes[own].name = name if name not in taken else f"{name}/{nodes[own].op_type}"
    return lost


def _read_layer(node: onnx.NodeProto, arrays: dict[str, NDArray[Any]]) -> Converted | None:
    place, axis = _WEIGHTED.get(node.op_type, (0, 0))
    held = arrays.get(node.input[place]) if node.op_type in _WEIGHTED and len(node.input) > place else None
    if held is None or held.ndim < 2 or held.dtype.kind != "f":
        return None
    hint = node.name.rpartition("/")[0]
    if node.op_type in ("LSTM", "GRU", "RNN"):  # in each direction
        own, *others = [*held, *arrays.get(node.input[2], np.empty(0))]
        return Converted(own, axis, hint, others)
    if node.op_type == "Gemm" and attribute(node, "transB", 0):
        axis = 0
    return Converted(held, axis, hint)
