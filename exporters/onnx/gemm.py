"""Gemm, which torch makes of a linear layer on a matrix, as the product and the sum that it is."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from edgekit.exporters.onnx.graph import constants, rebuild

__all__ = ["opened"]


def opened(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which a Gemm with constant weights is a MatMul and an Add, so that products are of one kind."""
    arrays = constants(model)
    added: dict[str, NDArray[np.float32]] = {}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        settings = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        plain = settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0 and not settings.get("transA", 0)
        if node.op_type != "Gemm" or not plain or node.input[1] not in arrays:
            nodes.append(node)
            continue
        weight = f"{node.name}.weight"
        array = arrays[node.input[1]]
        added[weight] = np.ascontiguousarray(array.T) if settings.get("transB", 0) else array
        biased = len(node.input) > 2 and bool(node.input[2])
        product = f"{node.name}.product" if biased else node.output[0]
        nodes.append(helper.make_node("MatMul", [node.input[0], weight], [product], name=node.name))
        if biased:
            nodes.append(helper.make_node("Add", [product, node.input[2]], node.output, name=f"{node.name}.sum"))
    return rebuild(model, nodes, added) if added else model
