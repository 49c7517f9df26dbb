"""Products of sequences and matrices as convolutions of one position, which have a bias of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.onnx.graph import constants, rebuild


def as_convolutions(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every product with a constant matrix on the right as a Conv between two Transposes, or, of a table, as a Gemm;
    the bias that is added to it alone, inside. What has an unknown number of axes stays."""
    arrays, ranks = constants(model), _ranks(model)
    users = Counter(name for node in model.graph.node for name in node.input)
    users.update(value.name for value in model.graph.output)
    sums = {name: node for node in model.graph.node if node.op_type == "Add" for name in node.input}
    nodes, added, gone, moved = list[onnx.NodeProto](), dict[str, NDArray[Any]](), set[str](), set[str]()
    for node in model.graph.node:
        weight = arrays.get(node.input[1]) if node.op_type == "MatMul" else None
        rank, out = ranks.get(node.input[0], 0), node.output[0]
        if weight is None or weight.ndim != 2 or weight.dtype != np.float32 or not 2 <= rank <= 4:
            nodes += [node] if out not in gone else []
            continue
        name, last, bias = node.name, sums.get(out), list[str]()
        if last is not None and users[out] == 1:
            other = next((one for one in last.input if one != out), "")
            if other in arrays and arrays[other].shape == weight.shape[1:]:
                bias, out = [other], last.output[0]
                gone.add(out)
        if rank == 2:
            nodes.append(helper.make_node("Gemm", [*node.input, *bias], [out], name=name))
            continue
        added[f"{name}.taps"] = weight.T.reshape(*weight.T.shape, *[1] * (rank - 2))
        first, made = f"{node.input[0]}.first", f"{name}.made"
        if first not in moved:  # several products of one sequence read it in one order
            moved.add(first)
            order = [0, rank - 1, *range(1, rank - 1)]
            nodes.append(helper.make_node("Transpose", [node.input[0]], [first], name=first, perm=order))
        nodes += [
            helper.make_node("Conv", [first, f"{name}.taps", *bias], [made], name=name),
            helper.make_node("Transpose", [made], [out], name=f"{name}.last", perm=[0, *range(2, rank), 1]),
        ]
    return rebuild(model, nodes, added)


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    typed = [value for value in (*graph.input, *graph.value_info) if value.type.tensor_type.HasField("shape")]
    return {value.name: len(value.type.tensor_type.shape.dim) for value in typed}
