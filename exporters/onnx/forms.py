"""The nodes of an int8 product in each of its forms (see `products`), with weights that are rounded already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Facts
from edgekit.exporters.onnx.graph import CONTRIB
from edgekit.quantization.ranges import MIDDLE
from edgekit.quantization.weights.gptq import Rounded


@dataclass(frozen=True)
class Rows:
    """What is known of the activations of a product.

    Attributes:
        zero: the step of uint8 that stands for 0. single: whether all axes before the last two have the length 1.
        outliers: channels that are multiplied in float, beside a product whose weights have a scale for each output
            (`edgekit.quantization.weights.outliers`).
    """

    zero: int = MIDDLE
    single: bool = False
    outliers: tuple[int, ...] = ()


def blockwise(node: onnx.NodeProto, made: Rounded, added: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    inputs, outputs = made.steps.shape
    name, scales, nodes = node.name, f"{node.name}.scales", list[onnx.NodeProto]()
    added[f"{name}.int8"], added[scales] = pack_steps(made)
    if made.grid.bits < 8:  # many of them: a quarter of such weights, where they are stored whole
        added[scales], held = added[scales].astype(np.float16), scales
        scales = f"{name}.whole"
        nodes.append(helper.make_node("Cast", [held], [scales], name=f"{name}.cast", to=onnx.TensorProto.FLOAT))
    # accuracy_level 4: multiply in int8, which is what makes it fast; lower levels decompress to float.
    return [
        *nodes,
        helper.make_node(
            "MatMulNBits",
            [node.input[0], f"{name}.int8", scales],
            list(node.output),
            name=name,
            domain=CONTRIB,
            K=inputs,
            N=outputs,
            bits=made.grid.bits,
            block_size=made.grid.block,
            accuracy_level=4,
        ),
    ]


def pack_steps(made: Rounded) -> tuple[NDArray[np.uint8], Floats]:
    """Steps as uint8 [N, blocks, bytes of a block] around the middle, and scales float32 [N, blocks].

    In 4 bits two steps share a byte; in 8 each has its own.
    """
    bits, block = made.grid.bits, made.grid.block
    inputs, outputs = made.steps.shape
    blocks, middle = len(made.scales), 1 << (bits - 1)
    padded = np.full((outputs, blocks * block), middle, np.uint8)
    padded[:, :inputs] = (made.steps.T.astype(np.int16) + middle).astype(np.uint8)
    values: NDArray[np.uint8] = padded.reshape(outputs, blocks, block)
    if bits == 4:
        values = (values[..., ::2] | values[..., 1::2] << 4).astype(np.uint8)
    return values, np.ascontiguousarray(made.scales.T)


def lookup(node: onnx.NodeProto, owner: str, added: dict[str, NDArray[Any]], made: Rounded) -> list[onnx.NodeProto]:
    """An embedding look-up in the projection's own blockwise matrix, so that it is stored once."""
    name, ids, out = node.name, node.input[1], node.output[0]
    added[f"{name}.middle"] = np.array(1 << (made.grid.bits - 1), np.float32)
    added[f"{name}.last"] = np.array([-1], np.int64)
    added[f"{name}.shape"] = np.array([0, 0, len(made.steps)], np.int64)
    nodes = [helper.make_node("Gather", [f"{owner}.int8", ids], [f"{name}.rows"], name=name, axis=0)]
    rows = f"{name}.rows"
    if made.grid.bits == 4:
        added[f"{name}.sixteen"] = np.array(16, np.uint8)
        added[f"{name}.pairs"] = np.array([0, 0, len(made.scales), made.grid.block], np.int64)
        rows = f"{name}.values"
        nodes += [
            helper.make_node("Div", [f"{name}.rows", f"{name}.sixteen"], [f"{name}.high"], name=f"{name}.high"),
            helper.make_node("Mod", [f"{name}.rows", f"{name}.sixteen"], [f"{name}.low"], name=f"{name}.low"),
            helper.make_node("Unsqueeze", [f"{name}.high", f"{name}.last"], [f"{name}.odd"], name=f"{name}.odd"),
            helper.make_node("Unsqueeze", [f"{name}.low", f"{name}.last"], [f"{name}.even"], name=f"{name}.even"),
            helper.make_node("Concat", [f"{name}.even", f"{name}.odd"], [f"{name}.both"], name=f"{name}.both", axis=-1),
            helper.make_node("Reshape", [f"{name}.both", f"{name}.pairs"], [rows], name=f"{name}.values"),
        ]
    whole = helper.make_node("Cast", [f"{name}.scale"], [f"{name}.scalef"], name=f"{name}.castscale", to=1)
    return [
        *nodes,
        helper.make_node("Cast", [rows], [f"{name}.float"], name=f"{name}.cast", to=onnx.TensorProto.FLOAT),
        helper.make_node("Sub", [f"{name}.float", f"{name}.middle"], [f"{name}.centred"], name=f"{name}.sub"),
        helper.make_node("Gather", [f"{owner}.scales", ids], [f"{name}.scale"], name=f"{name}.scales", axis=0),
        whole,
        helper.make_node("Unsqueeze", [f"{name}.scalef", f"{name}.last"], [f"{name}.scale1"], name=f"{name}.unsqueeze"),
        helper.make_node("Mul", [f"{name}.centred", f"{name}.scale1"], [f"{name}.blocks"], name=f"{name}.mul"),
        helper.make_node("Reshape", [f"{name}.blocks", f"{name}.shape"], [out], name=f"{name}.reshape"),
    ]


def int16(
    node: onnx.NodeProto, made: Rounded, added: dict[str, NDArray[Any]], done: set[str], version: int
) -> list[onnx.NodeProto]:
    """A product with activations of 16 bits, by a scale for every row.

    Kernels multiply bytes. So a row becomes two: its values in 255 steps, and what that left, in steps a 254th as
    wide. Both meet the weights at once: where a product is bound by memory, that takes the time of one row.
    """
    x, name, nodes = node.input[0], node.name, list[onnx.NodeProto]()
    pairs = f"{x}.pairs"
    if pairs not in done:  # several products of one input quantize it once
        done.add(pairs)
        nodes = _quantized_pairs(x, added, version)
    _add_whole(name, made, added)
    operands = [pairs, f"{name}.int8", "pairs.one", f"{name}.scales", "pairs.zero", f"{name}.zeros"]
    steps, both = f"{name}.steps", f"{name}.both"
    return [
        *nodes,
        helper.make_node("MatMulIntegerToFloat", operands, [steps], name=name, domain=CONTRIB),
        helper.make_node("Mul", [steps, f"{pairs}.scales"], [both], name=f"{name}.back"),
        helper.make_node("ReduceSum", [both, "pairs.axis"], list(node.output), name=f"{name}.sum", keepdims=0),
    ]


def _quantized_pairs(x: str, added: dict[str, NDArray[Any]], version: int) -> list[onnx.NodeProto]:
    """`x` float [..., K] to ``x.pairs``, uint8 [..., 2, K], and ``x.pairs.scales``, float [..., 2, 1]."""
    own, most = f"{x}.pairs", MIDDLE - 1
    added["pairs.last"], added["pairs.axis"] = np.array([-1], np.int64), np.array([-2], np.int64)
    added["pairs.one"], added["pairs.tiny"] = np.array(1, np.float32), np.array(1e-30, np.float32)
    added["pairs.zero"], added["pairs.step"] = np.array(MIDDLE, np.uint8), np.array(1 / most, np.float32)
    added["pairs.finer"] = np.array(2 * most, np.float32)
    added["pairs.widths"] = np.array([[1], [1 / (2 * most)]], np.float32)
    axes, along = _last_axis("pairs.last", version)
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Unsqueeze", [x, "pairs.axis"], "row", {}),
        ("Abs", [f"{own}.row"], "size", {}),
        ("ReduceMax", [f"{own}.size", *axes], "high", {"keepdims": 1, **along}),
        ("Mul", [f"{own}.high", "pairs.step"], "wide", {}),
        ("Max", [f"{own}.wide", "pairs.tiny"], "scale", {}),
        ("Div", [f"{own}.row", f"{own}.scale"], "value", {}),
        ("Round", [f"{own}.value"], "whole", {}),
        ("Sub", [f"{own}.value", f"{own}.whole"], "left", {}),
        ("Mul", [f"{own}.left", "pairs.finer"], "fine", {}),
        ("Concat", [f"{own}.whole", f"{own}.fine"], "float", {"axis": -2}),
        ("QuantizeLinear", [f"{own}.float", "pairs.one", "pairs.zero"], "", {}),
        ("Mul", [f"{own}.scale", "pairs.widths"], "scales", {}),
    ]
    return _nodes(own, steps)


def lookup_columns(node: onnx.NodeProto, owner: str, added: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    """An embedding look-up in a matrix that has a scale for each output: those of the projection are its columns."""
    name, ids, out = node.name, node.input[1], node.output[0]
    added[f"{name}.last"] = np.array([-1], np.int64)
    return [
        helper.make_node("Gather", [f"{owner}.int8", ids], [f"{name}.columns"], name=name, axis=1),
        helper.make_node("Transpose", [f"{name}.columns"], [f"{name}.rows"], name=f"{name}.rows", perm=[1, 2, 0]),
        helper.make_node("Cast", [f"{name}.rows"], [f"{name}.float"], name=f"{name}.cast", to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", [f"{owner}.scales", ids], [f"{name}.scale"], name=f"{name}.scales", axis=0),
        helper.make_node("Unsqueeze", [f"{name}.scale", f"{name}.last"], [f"{name}.column"], name=f"{name}.unsqueeze"),
        helper.make_node("Mul", [f"{name}.float", f"{name}.column"], [out], name=f"{name}.mul"),
    ]


def rows_alike(
    node: onnx.NodeProto, made: Rounded, added: dict[str, NDArray[Any]], done: set[str], rows: Rows, version: int
) -> list[onnx.NodeProto]:
    """A product of activations with a scale for every row: the least at which the row's values fit around the zero.
    Written in a version of ONNX's operators (13 or later).

    QuantizeLinear along the axis of rows takes both the division and the rounding in a single pass. Beside one scale
    for all rows (`dynamic`) that costs a fifth more time where rows are long, and nothing where they are short.
    """
    x, out, name, nodes = node.input[0], node.output[0], node.name, list[onnx.NodeProto]()
    if f"{x}.rows" not in done:  # several products of one input quantize it once
        done.add(f"{x}.rows")
        nodes = _quantized_rows(x, made.steps.shape[0], rows, added, version)
    _add_whole(name, made, added)
    operands = [f"{x}.rows", f"{name}.int8", "rows.one", f"{name}.scales", f"{x}.rows.zero", f"{name}.zeros"]
    return [
        *nodes,
        helper.make_node("MatMulIntegerToFloat", operands, [f"{name}.steps"], name=name, domain=CONTRIB),
        helper.make_node("Mul", [f"{name}.steps", f"{x}.rows.scales"], [out], name=f"{name}.back"),
    ]


def split_outliers(
    node: onnx.NodeProto, weight: Floats, outliers: Sequence[int], added: dict[str, NDArray[Any]]
) -> tuple[onnx.NodeProto, list[onnx.NodeProto], list[onnx.NodeProto]]:
    """The product without its outliers, which is still to be written in a form; the nodes before it, and those behind
    it that multiply the outliers in float and add both."""
    x, name, [out] = node.input[0], node.name, node.output
    rest, few, before = f"{x}.rest", f"{x}.outliers", list[onnx.NodeProto]()
    if f"{x}.mask" not in added:  # several products of one input cut it once
        added[f"{x}.mask"], added[f"{x}.channels"] = np.ones(len(weight), np.float32), np.array(outliers, np.int64)
        added[f"{x}.mask"][list(outliers)] = 0
        before = [
            helper.make_node("Mul", [x, f"{x}.mask"], [rest], name=rest),
            helper.make_node("Gather", [x, f"{x}.channels"], [few], name=few, axis=-1),
        ]
    added[f"{name}.outliers"] = weight[list(outliers)]
    main = onnx.NodeProto()
    main.CopyFrom(node)
    main.input[0], main.output[0] = rest, f"{name}.rest"
    behind = [
        helper.make_node("MatMul", [few, f"{name}.outliers"], [f"{name}.few"], name=f"{name}.few"),
        helper.make_node("Add", [f"{name}.rest", f"{name}.few"], [out], name=f"{name}.whole"),
    ]
    return main, before, behind


def _add_whole(name: str, made: Rounded, added: dict[str, NDArray[Any]]) -> None:
    """``NAME.int8``, int8 [K, N], with a scale for each output."""
    added[f"{name}.int8"], added[f"{name}.scales"] = made.steps, made.scales[0]
    added[f"{name}.zeros"] = np.zeros(made.steps.shape[1], np.int8)


def _quantized_rows(
    x: str, inputs: int, rows: Rows, added: dict[str, NDArray[Any]], version: int
) -> list[onnx.NodeProto]:
    """`x` float [..., inputs] to ``x.rows``, uint8 of the same shape, and ``x.rows.scales``, float [..., 1]."""
    zero, own = rows.zero, f"{x}.rows"  # other products of `x` may be dynamic, which has a scale of its own
    added["rows.last"], added["rows.one"] = np.array([-1], np.int64), np.array(1, np.float32)
    added["rows.tiny"] = np.array(1e-30, np.float32)
    added[f"{own}.above"] = np.array(1 / (255 - zero), np.float32)
    added[f"{own}.below"] = np.array(-1 / zero, np.float32)
    added[f"{own}.zero"], added[f"{own}.least"] = np.array(zero, np.uint8), np.array([zero], np.uint8)
    axes, along = _last_axis("rows.last", version)
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("ReduceMax", [x, *axes], "high", {"keepdims": 1, **along}),
        ("ReduceMin", [x, *axes], "low", {"keepdims": 1, **along}),
        ("Mul", [f"{own}.high", f"{own}.above"], "up", {}),
        ("Mul", [f"{own}.low", f"{own}.below"], "down", {}),
        ("Max", [f"{own}.up", f"{own}.down", "rows.tiny"], "scales", {}),
        ("Reshape", [f"{own}.scales", "rows.last"], "scale", {}),
        ("Shape", [f"{own}.scale"], "count", {}),
        ("Expand", [f"{own}.least", f"{own}.count"], "zeros", {}),
    ]
    if rows.single:
        steps.append(("QuantizeLinear", [x, f"{own}.scale", f"{own}.zeros"], "", {"axis": -2}))
    else:
        # A last resort: behind Reshape onnxruntime knows no shape, and reuses no memory.
        added[f"{own}.flat"] = np.array([-1, inputs], np.int64)
        steps += [
            ("Reshape", [x, f"{own}.flat"], "list", {}),
            ("QuantizeLinear", [f"{own}.list", f"{own}.scale", f"{own}.zeros"], "steps", {"axis": 0}),
            ("Shape", [x], "shape", {}),
            ("Reshape", [f"{own}.steps", f"{own}.shape"], "", {}),
        ]
    return _nodes(own, steps)


def _last_axis(name: str, version: int) -> tuple[list[str], Facts]:
    """Operands and attributes of a ReduceMax along the last axis, which was an attribute before version 18."""
    return ([name], {}) if version >= 18 else ([], {"axes": [-1]})


def _nodes(own: str, steps: list[tuple[str, list[str], str, dict[str, Any]]]) -> list[onnx.NodeProto]:
    """A node for each (operator, operands, result, attributes); its only output is ``OWN.RESULT``, or `own` for ""."""
    return [
        helper.make_node(operator, operands, [name], name=name, **attributes)
        for operator, operands, result, attributes in steps
        for name in [f"{own}.{result}" if result else own]
    ]


def dynamic(
    node: onnx.NodeProto, made: Rounded, added: dict[str, NDArray[Any]], done: set[str]
) -> list[onnx.NodeProto]:
    name, x = node.name, node.input[0]
    nodes = list[onnx.NodeProto]()
    _add_whole(name, made, added)
    if x not in done:  # several products of one input quantize it once
        done.add(x)
        parts = [f"{x}.uint8", f"{x}.scale", f"{x}.zero"]
        nodes.append(helper.make_node("DynamicQuantizeLinear", [x], parts, name=f"{x}.quantize"))
    operands = [f"{x}.uint8", f"{name}.int8", f"{x}.scale", f"{name}.scales", f"{x}.zero", f"{name}.zeros"]
    nodes.append(helper.make_node("MatMulIntegerToFloat", operands, list(node.output), name=name, domain=CONTRIB))
    return nodes
