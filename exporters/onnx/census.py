"""What an ONNX file really holds: operators, bytes by dtype, and whether that is what its precision says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import TensorProto

from edgekit.common.lazy import NDArray, np
from edgekit.errors import ExportFailed
from edgekit.exporters.onnx import half
from edgekit.exporters.onnx.graph import constants

#: Operators that multiply in int8.
_INT8 = {
    *("MatMulNBits", "MatMulIntegerToFloat", "MatMulInteger", "QLinearMatMul"),
    *("QLinearConv", "ConvInteger", "DynamicQuantizeLSTM"),
}
#: Operators whose weights onnxruntime rewrites for processors that add products of bytes in 16 bits.
_EXACT = _INT8 | {"DequantizeLinear", "DynamicQuantizeMatMul"}
_FLOAT = {"MatMul", "Gemm", "Conv"}
#: What a weight takes.
_BYTES = {"float": 4, "float16": 2, "double": 8}
#: Whole numbers that are shapes and places, not weights.
_PLACES = ("int64", "int32", "bool")


def census(model: onnx.ModelProto) -> dict[str, Any]:
    """Operators by type, bytes of weights by dtype, products by arithmetic, parameters (JSON-able)."""
    bytes_by_type: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        bytes_by_type[TensorProto.DataType.Name(tensor.data_type).lower()] += len(tensor.raw_data) or 8
    operators = Counter(node.op_type for node in model.graph.node)
    arrays = constants(model)
    held = set(arrays)  # weights, and what is only another view of them
    for node in model.graph.node:
        if node.op_type in ("Cast", "Transpose") and node.input[0] in held:
            held.add(node.output[0])
    made = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:  # pixels are dequantized, then transposed: still integers
        if node.op_type == "Transpose" and node.input[0] in made:
            made[node.output[0]] = made[node.input[0]]
    # A pair of quantize and dequantize on both sides is a product in int8 (see `convolutions/qdq.py`).
    integer, weighted = 0, []
    for node in model.graph.node:
        if node.op_type in _FLOAT:
            left, right = (made.get(name) for name in node.input[:2])
            if right is not None and right.op_type == "DequantizeLinear" and right.input[0] in arrays:
                integer += left is not None and left.op_type == "DequantizeLinear"
            elif node.input[1] in held:
                weighted.append(node)
    readers = Counter(name for node in model.graph.node if node.op_type in _EXACT for name in {*node.input})
    return {
        "operators": dict(sorted(operators.items())),
        "bytes": dict(sorted(bytes_by_type.items())),
        "weighted_int8": sum(operators[name] for name in _INT8) + integer,
        "weighted_float": len(weighted),
        "float_layers": sorted(node.name for node in weighted),
        "shared_int8": [name for name, n in readers.items() if n > 1 and name in arrays and _is_matrix(arrays[name])],
    }


def _is_matrix(array: NDArray[Any]) -> bool:
    return array.dtype == np.int8 and array.ndim > 1


#: What to do where most weights are float64.
_FROM_DOUBLE = "Export the network again with weights in float32: network.float() before it is exported."


def check(sizes: Mapping[str, int], floats: Sequence[str], part: str, precision: str, quantized: bool) -> None:
    """Refuse a file that is not what its precision says, by its bytes of each dtype and its layers in float.

    Raises:
        ExportFailed: an int8 part whose weights are mostly float, an fp16 one that is mostly fp32, ...
    """
    held = {name: size // _BYTES.get(name, 1) for name, size in sizes.items() if name not in _PLACES}
    total = sum(held.values())
    wanted = {"int8": ("int8", "uint8"), "fp16": ("float16",), "fp32": ("float",)}[precision if quantized else "fp32"]
    share = sum(held.get(name, 0) for name in wanted) / total if total else 1.0
    if share < 0.5:
        raise ExportFailed(
            f"the part {part!r} was to be {precision}, but only {share:.0%} of its weights are: "
            f"{', '.join(f'{count} {name}' for name, count in sorted(held.items(), key=lambda one: -one[1]))}.",
            hint=_hint(floats, precision, 2 * held.get("double", 0) > total),
        )


def _hint(floats: Sequence[str], precision: str, double: bool) -> str:
    if double:
        return _FROM_DOUBLE
    if precision == "fp16":
        return (
            f"Tensors of fewer than {half.SMALL} numbers stay in float, as they save nothing: choose --precision fp32."
        )
    return (
        "Choose another precision with --precision. Weights that no product takes stay in float; of the products "
        f"{_some(floats)}."
    )


def _some(layers: Sequence[str]) -> str:
    """The first of many."""
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    return f"{', '.join(layers[:3]) or 'none'}{more}"
