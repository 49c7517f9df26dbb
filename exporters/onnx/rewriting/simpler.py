"""Float graphs made simpler: what is computed stays.

`simplify_graph` is for graphs from elsewhere of which smaller forms are made: in operators that have int8 per channel,
with constants folded and normalizations in the weights of convolutions, as onnxruntime does while it loads a file.

`without_needless` is for attention. torch replaces NaN behind each softmax by 0 (`IsNaN`, `Where`), in case a mask
hides a whole row, and adds masks that hide nothing. Both pass over all scores of all heads: with 197 positions a fifth
of the time of a small vision transformer in int8.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from edgekit.common.lazy import NDArray, np, onnxruntime
from edgekit.errors import ExportFailed
from edgekit.exporters.onnx.graph import constants, rebuild, version_of
from edgekit.formats.onnx.graph import CONTRIB
from edgekit.runtimes.onnxruntime.runner import without_telemetry

#: Quantization along an axis came with 13; later versions changed what hardly any runtime of today lacks.
_OLDEST, _WANTED = 13, 17
#: Operators whose results are finite where all their inputs are.
_FINITE = ("Add", "Sub", "Mul", "Neg")
#: Scores come from products, and infinite ones are an error of the network.
_PRODUCTS = ("MatMul", "FusedMatMul", "Gemm")
#: Operators that move or repeat their first input.
_MOVING = ("Expand", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Slice", "Identity")
#: How far a mask is followed.
_DEEP = 12

Made = Mapping[str, onnx.NodeProto]
Arrays = Mapping[str, NDArray[Any]]


def simplify_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, simpler.

    Raises:
        ExportFailed: onnx cannot convert it to a newer version of its operators, or onnxruntime refuses it.
    """
    version = version_of(model)
    if version < _OLDEST:
        try:
            model = onnx.version_converter.convert_version(model, _WANTED)
        except Exception as exc:  # its C++ raises many kinds
            raise ExportFailed(
                f"onnx cannot convert the graph from version {version} of its operators to {_WANTED}: "
                f"{str(exc).strip().splitlines()[0]}",
                hint="Use --precision fp32, or export the network again with a newer version.",
            ) from exc
    simple = _by_onnxruntime(model)
    # onnxruntime names every domain that it has operators of.
    used = {node.domain for node in simple.graph.node}
    kept = [
        entry for entry in simple.opset_import if entry.domain in ("", "ai.onnx") or entry.domain in used | {CONTRIB}
    ]
    del simple.opset_import[:]
    simple.opset_import.extend(kept)
    return simple


def _by_onnxruntime(model: onnx.ModelProto) -> onnx.ModelProto:
    without_telemetry()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "simple.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(file)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # onnxruntime's exceptions share no base but Exception
            raise ExportFailed(f"onnxruntime refuses the graph: {str(exc).strip().splitlines()[0]}") from exc
        return onnx.load(file)


def without_needless(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` without guards of a softmax over finite scores, and without sums with a mask of zeros.

    What it computes stays, bit by bit, for inputs whose scores are finite. Scores that are not give NaN in place of 0.
    """
    arrays = constants(model)
    made = {output: node for node in model.graph.node for output in node.output}
    instead = {node.output[0]: kept for node in model.graph.node if (kept := _guarded_softmax(node, made, arrays))}
    instead |= _needless_masks(model, made, arrays)
    for value in model.graph.output:
        instead.pop(value.name, None)
    if not instead:
        return model
    nodes = []
    for node in model.graph.node:
        if node.output[0] in instead:
            continue
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [_last(name, instead) for name in node.input]
        nodes.append(copy)
    return rebuild(model, nodes, {})


def _last(name: str, instead: Mapping[str, str]) -> str:
    while name in instead:
        name = instead[name]
    return name


def _guarded_softmax(node: onnx.NodeProto, made: Made, arrays: Arrays) -> str:
    """The softmax that `node` guards in vain: ``Where(IsNaN(s), 0, s)``; "" if it is no such node."""
    if node.op_type != "Where":
        return ""
    asked, softmax = made.get(node.input[0]), made.get(node.input[2])
    if asked is None or asked.op_type != "IsNaN" or softmax is None or softmax.op_type != "Softmax":
        return ""
    zero = arrays.get(node.input[1])
    same = asked.input[0] == node.input[2] and zero is not None and not zero.any()
    return node.input[2] if same and _is_finite(softmax.input[0], made, arrays, _DEEP) else ""


def _is_finite(name: str, made: Made, arrays: Arrays, deep: int) -> bool:
    """Whether a value is finite whatever the inputs are. An input of the graph may hold minus infinity as a mask."""
    if name in arrays:
        return bool(np.isfinite(arrays[name]).all())
    node = made.get(name)
    if node is None or not deep:
        return False
    if node.op_type in _PRODUCTS:
        return True
    if node.op_type == "Where":
        return all(_is_finite(one, made, arrays, deep - 1) for one in node.input[1:])
    if node.op_type in _MOVING:
        return _is_finite(node.input[0], made, arrays, deep - 1)
    return node.op_type in _FINITE and all(_is_finite(one, made, arrays, deep - 1) for one in node.input)


def _needless_masks(model: onnx.ModelProto, made: Made, arrays: Arrays) -> dict[str, str]:
    """Sum of scores and a mask of zeros -> the scores, where the mask does not repeat them."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for node in model.graph.node:
        if node.op_type == "Add":
            for scores, mask in (node.input, reversed(node.input)):
                zeros = _zeros(mask, made, arrays)
                if zeros and scores in made and made[scores].op_type in ("MatMul", "Mul", "Div"):
                    found[node.output[0]] = scores, zeros
    shapes = _shapes(model) if found else {}
    return {total: scores for total, (scores, zeros) in found.items() if _covers(shapes.get(scores, ()), zeros)}


def _covers(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Whether a sum of arrays of these shapes has the first one's."""
    pairs = zip(reversed(other), reversed(shape), strict=False)
    return len(other) <= len(shape) and all(size in (1, have) for size, have in pairs)


def _zeros(name: str, made: Made, arrays: Arrays) -> tuple[int, ...] | None:
    """The shape of a mask that is constant and 0 everywhere; None for any other value."""
    value = arrays.get(name)
    node = made.get(name)
    if value is None and node is not None and node.op_type == "Where" and all(one in arrays for one in node.input):
        value = np.where(*(arrays[one] for one in node.input))
    if value is None or value.ndim < 2 or value.dtype != np.float32 or value.any():
        return None
    return value.shape


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Value -> its sizes, as far as they follow from the graph; 0 for an axis that varies."""
    return {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
        if value.type.tensor_type.HasField("shape")
    }
