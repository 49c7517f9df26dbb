"""A graph with fixed axes, every node named and the shape of every tensor known; its multiplications, and what share of
them is where."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from edgekit.core import Feeds, Placement, share_of
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

_CONVOLUTIONS = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "FusedConv")


def fix_axes(file: Path, feeds: Feeds) -> onnx.ModelProto:
    """The graph of `file` for inputs of the sizes of `feeds`. Inputs that it lacks keep their shapes."""
    model = onnx.load(file)
    for value in model.graph.input:
        for size, axis in zip(feeds[value.name].shape, value.type.tensor_type.shape.dim, strict=True):
            axis.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    taken: set[str] = set()
    for node in model.graph.node:
        node.name = node.name if node.name and node.name not in taken else node.output[0]
        taken.add(node.name)
    return model


def shapes_of(model: onnx.ModelProto, feeds: Feeds) -> dict[str, Sequence[int]]:
    """Tensor -> shape, of a graph with fixed axes. The types of the tensors are noted in the graph.

    Inference of shapes does not know every operator: the processor computes what is left.
    """
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    known = {value.name: value for value in inferred.graph.value_info if _shape(value) is not None}
    made = [name for node in model.graph.node for name in node.output if name]
    left = [name for name in made if name not in known]
    if left:
        watched = onnx.ModelProto.FromString(model.SerializeToString())
        ends = {value.name for value in model.graph.output}
        watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in left if name not in ends)
        for name, array in OnnxRunner(watched.SerializeToString(), 1)(feeds).items():
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            known[name] = helper.make_tensor_value_info(name, kind, array.shape)
    del model.graph.value_info[:]
    model.graph.value_info.extend(known[name] for name in made if name in known)
    infos = [*model.graph.value_info, *model.graph.input]
    shapes: dict[str, Sequence[int]] = {value.name: _shape(value) or () for value in infos}
    return shapes | {weight.name: tuple(weight.dims) for weight in model.graph.initializer}


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    """The shape, where all of it is known."""
    axes = value.type.tensor_type.shape.dim
    known = value.type.tensor_type.HasField("shape") and all(axis.HasField("dim_value") for axis in axes)
    return tuple(axis.dim_value for axis in axes) if known else None


def count_multiplications(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    """Of a node, by the shapes of its tensors; of a recurrent one, for all steps."""
    out, sizes = shapes.get(node.output[0], ()), [shapes.get(name, ()) for name in node.input]
    if node.op_type in _CONVOLUTIONS:
        weights = sizes[3 if node.op_type.startswith("QLinear") else 1]
        return math.prod(sizes[0] if "Transpose" in node.op_type else out) * math.prod(weights[1:])
    if "MatMul" in node.op_type or node.op_type == "Gemm":
        return math.prod(out) * (sizes[0] or (0,))[-1]
    if node.op_type.endswith(("LSTM", "GRU", "RNN")):
        return math.prod(sizes[0][:2]) * (math.prod(sizes[1]) + math.prod(sizes[2]))
    return 0


def computed_nodes(model: onnx.ModelProto, inputs: Collection[str]) -> list[onnx.NodeProto]:
    """The nodes that depend on the inputs: the others are computed once, when the file is opened."""
    known, nodes = set(inputs), []
    for node in model.graph.node:
        if known & set(node.input):
            known |= set(node.output)
            nodes.append(node)
    return nodes


def place_nodes(
    model: onnx.ModelProto, feeds: Feeds, taken: Collection[str], off: Mapping[str, str], place: Placement
) -> Placement:
    """`place` with shares of multiplications and weights, and the layers that are not there, the heaviest first.

    Args:
        model: as `fix_axes` gives it. taken: names of the nodes that the unit computes. off: those that it does not,
            and why. What depends on no input is computed once, and counts for neither.
    """
    shapes = shapes_of(model, feeds)
    work = {node.name: count_multiplications(node, shapes) for node in model.graph.node}
    fed, on_unit = computed_nodes(model, set(feeds)), set[str]()
    depend = {node.name for node in fed}
    for node in reversed(model.graph.node):  # a weight is where its reader is, whatever is computed of it before
        if node.name in taken or (on_unit & set(node.output) and node.name not in depend):
            on_unit |= set(node.input)
    sizes = {weight.name: _bytes(weight) for weight in model.graph.initializer}
    return replace(
        place,
        multiplications=share_of(sum(work.get(name, 0) for name in taken), sum(work.values())),
        weights=share_of(sum(size for name, size in sizes.items() if name in on_unit), sum(sizes.values())),
        left={node.name: off[node.name] for node in sorted(fed, key=lambda one: -work[one.name]) if node.name in off},
    )


def _bytes(weight: Any) -> int:
    return len(weight.raw_data) or int(onnx.numpy_helper.to_array(weight).nbytes)
