"""Forms that a runtime computes wrongly or slowly, and what computes the same: by the words of its constraints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import onnx
from onnx import TensorProto, helper

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.onnx.graph import attribute, constants, rebuild
from edgekit.exporters.onnx.half import in_bytes
from edgekit.exporters.onnx.rewriting import functions
from edgekit.registry import find

#: Whole numbers of a byte, and of half of one.
_BYTES, _FOUR_BITS = (TensorProto.UINT8, TensorProto.INT8), (TensorProto.UINT4, TensorProto.INT4)
_CONVOLUTIONS = ("Conv", "ConvTranspose")
#: Operators whose results in float are not cut into steps of 16 bits right behind them.
_ALONE = ("LayerNormalization", "Sigmoid")


def ruled_out(runtime: str) -> set[str]:
    """The forms that a runtime's constraints name."""
    return {constraint.form for constraint in find("runtimes", runtime).constraints}


def repair(model: onnx.ModelProto, forms: Collection[str]) -> onnx.ModelProto:
    """`model` without those of `forms` that have a repair."""
    for form, rewrite in REPAIRS.items():
        model = rewrite(model) if form in forms else model
    return model


def cast_through_int32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Casts from bytes to float in two steps, which give the same."""
    types, nodes = functions.types_of(model), list[onnx.NodeProto]()
    for node in model.graph.node:
        if node.op_type == "Cast" and types.get(node.input[0]) in _BYTES and attribute(node, "to", 0) == 1:
            source, whole = node.input[0], f"{node.output[0]}.int32"
            nodes.append(helper.make_node("Cast", [source], [whole], name=f"{node.name}.int32", to=TensorProto.INT32))
            node = _reading(node, {0: whole})
        nodes.append(node)
    return rebuild(model, nodes, {})


def part_moved_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """An operator between inputs whose channels come last and the convolutions that read them."""
    inputs = {value.name for value in model.graph.input}

    def wrong(node: onnx.NodeProto, moves: set[str], name: str, maker: str) -> bool:
        return node.op_type in _CONVOLUTIONS and "Transpose" in moves and name in inputs

    return _part(model, wrong)


def part_wide_steps(model: onnx.ModelProto) -> onnx.ModelProto:
    """An operator between normalizations, or gates, and the steps of 16 bits that their results are cut into."""
    wide = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.UINT16}

    def wrong(node: onnx.NodeProto, moves: set[str], name: str, maker: str) -> bool:
        return node.op_type == "QuantizeLinear" and not wide.isdisjoint(node.input[2:]) and maker in _ALONE

    return _part(model, wrong)


def _part(model: onnx.ModelProto, wrong: Callable[[onnx.NodeProto, set[str], str, str], bool]) -> onnx.ModelProto:
    """A maximum that changes nothing before nodes that are `wrong` behind what they read: a compiler that takes the two
    for one leaves them alone, for it does not know that nothing changes.

    Args:
        wrong: (node, operators that move what it reads, the tensor before these, its operator) -> whether it is.
    """
    made = {output: node for node in model.graph.node for output in node.output}
    nodes, added = list[onnx.NodeProto](), dict[str, NDArray[Any]]()
    for node in model.graph.node:
        moves, name = set[str](), next(iter(node.input), "")
        while name in made and made[name].op_type in functions.MOVES:
            moves.add(made[name].op_type)
            name = made[name].input[0]
        if wrong(node, moves, name, made[name].op_type if name in made else ""):
            parted, lowest = f"{node.output[0]}.parted", f"{node.output[0]}.lowest"
            added[lowest] = np.array([np.finfo(np.float32).min], np.float32)
            nodes.append(helper.make_node("Max", [node.input[0], lowest], [parted], name=parted))
            node = _reading(node, {0: parted})
        nodes.append(node)
    return rebuild(model, nodes, added)


def add_zero_points(model: onnx.ModelProto) -> onnx.ModelProto:
    """Zero points of zeros for weights of 4 bits that have none."""
    arrays, added, nodes = constants(model), dict[str, NDArray[Any]](), list[onnx.NodeProto]()
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        four = node.op_type == "DequantizeLinear" and types.get(node.input[0]) in _FOUR_BITS
        if four and node.input[1] in arrays and not "".join(node.input[2:]):
            zeros = f"{node.output[0]}.zeros"
            added[zeros] = np.zeros(arrays[node.input[1]].shape, arrays[node.input[0]].dtype)
            node = _reading(node, {})
            node.input[2:] = [zeros]
        nodes.append(node)
    return rebuild(model, nodes, added)


def scale_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Matrices that have a scale for every input, in int8 with one for every output: rounded once more."""
    arrays, added, nodes = constants(model), dict[str, NDArray[Any]](), list[onnx.NodeProto]()
    matrices = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    for node in model.graph.node:
        held = [arrays.get(name) for name in node.input] if node.op_type == "DequantizeLinear" else []
        if held and node.output[0] in matrices and held[0] is not None and held[1] is not None:
            steps, scales, name = held[0].astype(np.float32), held[1].reshape(-1, 1), node.output[0]
            along = attribute(node, "axis", 1) in (0, -2) and not attribute(node, "block_size", 0)
            if steps.ndim == 2 and along and scales.size > 1:
                zeros = 0 if len(held) < 3 or held[2] is None else held[2].astype(np.float32).reshape(-1, 1)
                values, widths = in_bytes((steps - zeros) * scales, [1])
                added |= {f"{name}.int8": values, f"{name}.scales": widths.reshape(-1)}
                added[f"{name}.zeros"] = np.zeros(widths.size, np.int8)
                inputs = [f"{name}.{what}" for what in ("int8", "scales", "zeros")]
                node = helper.make_node("DequantizeLinear", inputs, [name], name=node.name, axis=1)
        nodes.append(node)
    return rebuild(model, nodes, added)


def widen_single_blocks(model: onnx.ModelProto) -> onnx.ModelProto:
    """Products in blocks that have a single output and a single block, with their few weights in float."""
    arrays, added, nodes = constants(model), dict[str, NDArray[Any]](), list[onnx.NodeProto]()
    for node in model.graph.node:
        held = [arrays.get(name) for name in node.input[1:4]] if node.op_type == "MatMulNBits" else []
        bits, inputs = attribute(node, "bits", 4), attribute(node, "K", 0)
        plain = bits in (4, 8) and not "".join(node.input[4:])
        if held and held[0] is not None and held[1] is not None and held[1].size == 1 and plain:
            steps, middle = held[0].reshape(-1), 1 << (bits - 1)
            steps = np.stack([steps & 15, steps >> 4], 1).reshape(-1) if bits == 4 else steps
            zero = middle if len(held) < 3 or held[2] is None else int(held[2].reshape(-1)[0]) % (2 * middle)
            weight = (steps[:inputs].astype(np.float32) - zero) * held[1].reshape(())
            added[f"{node.name}.float"] = weight.reshape(inputs, 1).astype(np.float32)
            operands = [node.input[0], f"{node.name}.float"]
            node = helper.make_node("MatMul", operands, list(node.output), name=node.name)
        nodes.append(node)
    return rebuild(model, nodes, added)


def _reading(node: onnx.NodeProto, changed: Mapping[int, str]) -> onnx.NodeProto:
    """A copy that reads other tensors, by place."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for place, name in changed.items():
        copy.input[place] = name
    return copy


#: Word of a constraint -> what makes the form that is needed instead.
REPAIRS: Mapping[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "a cast from bytes to float": cast_through_int32,
    "a negation of five axes": functions.negate_by_products,
    "a sigmoid in coarse steps": functions.compute_answers,
    "a gelu in coarse steps": functions.compute_gelus,
    "an exponential far from 0": functions.bound_exponents,
    "limits in front of a leaky ReLU": functions.put_leaks_first,
    "a limit of its own": functions.limit_by_extremes,
    "a convolution of moved inputs": part_moved_inputs,
    "16-bit steps of a normalization": part_wide_steps,
    "int4 without a zero point": add_zero_points,
    "scales along the depth": scale_outputs,
    "a single scale of blocks": widen_single_blocks,
}
