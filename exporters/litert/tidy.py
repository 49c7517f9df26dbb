"""What the converter leaves that costs time or that the quantizer does not take: transposes, biases with axes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgekit.common.lazy import np
from edgekit.core import TensorSpec
from edgekit.errors import ExportFailed
from edgekit.exporters.litert import file
from edgekit.exporters.litert.file import SIGNATURE, ends, rename_tensors


def fold_transposes(model: Any) -> None:
    """A mean over the image axes of a transposed image is a mean over other axes of the image itself.

    litert-torch keeps the transpose in front of ``x.mean((2, 3))``, where it costs as much as a layer, and more in
    int8. It goes where the axes that remain keep their order.
    """
    for graph in model.subgraphs:
        makers = {int(index): operator for operator in graph.operators for index in operator.outputs}
        uses = Counter(int(index) for operator in graph.operators for index in operator.inputs)
        gone = []
        for operator in graph.operators:
            if file.name_of(model, operator) != "MEAN" or operator.builtinOptions.keepDims:
                continue
            source = makers.get(int(operator.inputs[0]))
            if source is None or file.name_of(model, source) != "TRANSPOSE":
                continue
            order = _integers(model, graph, source.inputs[1])
            axes = _integers(model, graph, operator.inputs[1])
            if order is None or axes is None:
                continue
            axes = [axis % len(order) for axis in axes]
            left = [order[i] for i in range(len(order)) if i not in axes]
            middle = int(operator.inputs[0])
            if left != sorted(left) or uses[middle] > 1 or middle in graph.outputs:
                continue
            operator.inputs = np.array([source.inputs[0], _constant(model, graph, [order[i] for i in axes])], np.int32)
            gone.append(source)
        graph.operators = [operator for operator in graph.operators if operator not in gone]


def flatten_biases(model: Any) -> None:
    """A bias is a vector, also where the converter has folded a scale of another shape into it.

    ConvNeXt's layer scale leaves biases [1, 1, 1, channels]; the quantizer gives those their scales along the first
    axis, and LiteRT refuses the file.
    """
    graph = model.subgraphs[0]
    uses = Counter(int(index) for operator in graph.operators for index in operator.inputs)
    for _, _, operator, _, bias, _ in file.weighted_operators(model):
        shape = file.shape_of(graph.tensors[bias]) if bias >= 0 else (0,)
        values = file.constant(model, graph, bias) if len(shape) > 1 else None
        if values is None or values.size != shape[-1]:
            continue
        if uses[bias] > 1:
            graph.tensors.append(copy.copy(graph.tensors[bias]))
            operator.inputs = np.where(operator.inputs == bias, len(graph.tensors) - 1, operator.inputs)
            bias = len(graph.tensors) - 1
        graph.tensors[bias].shape = np.array([values.size], np.int32)
        graph.tensors[bias].shapeSignature = None


def multiply_activations(content: bytes) -> bytes:
    """The finished file with BATCH_MATMUL for products of two float activations, for which XNNPACK has kernels.

    litert-torch makes FULLY_CONNECTED of them where nothing is batched: one head of attention, say. XNNPACK does not
    take that with weights that are no constant, and LiteRT's own kernel takes two to four times as long. In int8 it is
    the other way round: those stay.
    """
    model, found = file.parse(content), False
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if file.name_of(model, operator) != "FULLY_CONNECTED" or operator.builtinOptions.fusedActivationFunction:
            continue
        rows, weights, *bias = (int(index) for index in operator.inputs)
        held, ranks = graph.tensors[weights], {len(graph.tensors[i].shape) for i in (rows, int(operator.outputs[0]))}
        constant = model.buffers[held.buffer].data is not None or held.type != schema.TensorType.FLOAT32
        if constant or len(ranks) > 1 or max(bias, default=-1) >= 0:
            continue
        found, code, product = True, schema.OperatorCodeT(), schema.BatchMatMulOptionsT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.BATCH_MATMUL
        code.version, product.adjY = 1, True
        model.operatorCodes.append(code)
        operator.opcodeIndex, operator.inputs = len(model.operatorCodes) - 1, operator.inputs[:2]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.BatchMatMulOptions, product
    return file.pack(model) if found else content


def _integers(model: Any, graph: Any, index: int) -> list[int] | None:
    data = model.buffers[graph.tensors[int(index)].buffer].data
    return None if data is None else [int(value) for value in np.asarray(data, np.uint8).view("<i4")]


def _constant(model: Any, graph: Any, values: list[int]) -> int:
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.array(values, "<i4").view(np.uint8)
    model.buffers.append(buffer)
    tensor.type, tensor.shape, tensor.buffer = schema.TensorType.INT32, np.array([len(values)]), len(model.buffers) - 1
    tensor.shape = tensor.shape.astype(np.int32)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def tidy(model: Any, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], part: str) -> None:
    """Names that people can read, and one signature with the part's own names, inputs and outputs in its order.

    Tensors are named after the module that made them and the operator ("blocks/0/conv/CONV_2D"), constants after the
    operator that takes them. `name_ends` gives inputs and outputs their own names in the end.

    Raises:
        ExportFailed: the graph has another number of inputs or outputs.
    """
    graph = model.subgraphs[0]
    fold_transposes(model)
    flatten_biases(model)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    for side, specs in (("inputs", inputs), ("outputs", outputs)):
        indices = ends(model, side)
        if len(indices) != len(specs):
            raise ExportFailed(
                f"the part {part!r} came out with {len(indices)} {side}, declared are {len(specs)}.",
                hint="An input that the module ignores, or one tensor given twice?" if indices else "",
            )
        setattr(graph, side, np.array(indices, np.int32))
        named = []
        for spec, index in zip(specs, indices, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = spec.name, index
            named.append(entry)
        setattr(signature, side, named)
    model.signatureDefs = [signature]
    for number, one in enumerate(model.subgraphs):
        rename_tensors(model, one, f"{number}:" if number else "")
        one.name = part if number == 0 else f"{part}.{number}"
