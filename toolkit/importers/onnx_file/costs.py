"""The layers of an ONNX graph with fixed sizes, as `Work` for estimates."""

from __future__ import annotations

import contextlib
from math import prod

from edgekit.common.lazy import onnx
from edgekit.core import Work
from edgekit.formats.onnx.graph import tensors
from edgekit.numerics.layers import Layer, table, work

_RECURRENT = ("LSTM", "GRU", "RNN")


def work_of(part: str, model: onnx.ModelProto) -> Work:
    """The weights and the work of a call; what an operator inside of a branch does is not counted."""
    with contextlib.suppress(Exception):  # its C++ raises many kinds; the estimate then lacks what only it could tell
        model = onnx.shape_inference.infer_shapes(model)
    graph = model.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    weights = dict(shapes)
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.name not in shapes:
            shapes[value.name] = tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
    layers: list[Layer] = []
    macs = steps = unrolled = 0
    for node in graph.node:
        before, after = (shapes.get(names[0], ()) if names else () for names in (node.input, node.output))
        held = [weights[name] for name in node.input[1:] if name in weights and len(weights[name]) >= 2]
        if node.op_type in _RECURRENT and held:
            steps = max(steps, before[0] if before else 1)
            layers += [Layer(prod(shape), shape[1], steps, sum(shape)) for shape in held]
            unrolled += sum(map(prod, held))
        elif node.op_type in ("Conv", "ConvTranspose") and held:
            outputs = after[1] if len(after) > 1 else held[0][0]
            positions = prod((after if node.op_type == "Conv" else before)[2:])
            layers.append(Layer(prod(held[0]), outputs, positions, prod(before) + prod(after)))
        elif node.op_type in ("MatMul", "Gemm"):
            if held:
                outputs = after[-1] if after else held[0][-1]
                layers.append(
                    Layer(prod(held[0]), outputs, max(1, prod(after) // max(1, outputs)), prod(before) + prod(after))
                )
            elif before:
                macs += prod(after) * before[-1]
    multiplied = {name for node in graph.node if node.op_type != "Gather" for name in node.input}
    looked_up = {node.input[0] for node in graph.node if node.op_type == "Gather" and node.input[0] in weights}
    layers += [table(prod(weights[name])) for name in sorted(looked_up - multiplied) if len(weights[name]) == 2]
    floats = sum(
        prod(tensor.dims)
        for tensor in tensors(model)
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    )
    counted = sum(layer.weights + layer.outputs for layer in layers)
    kinds = {node.op_type for node in graph.node}
    return work(
        part, _kind(kinds, layers), layers, tables=max(0, floats - counted), macs=macs, steps=steps, unrolled=unrolled
    )


def _kind(kinds: set[str], layers: list[Layer]) -> str:
    if kinds & set(_RECURRENT):
        return "recurrent"
    if "Softmax" in kinds and "MatMul" in kinds and "Conv" not in kinds:
        return "attention"
    if "Conv" in kinds:
        return "convolution"
    return "vector" if all(layer.positions <= 1 for layer in layers) else "attention"
