"""Functions of floats by other operators, for runtimes whose own have coarse steps or go astray."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.onnx.graph import attribute, constants, rebuild

#: A step: an operator and what it reads: the function's input (``"x"``), the result of a step by its place, a constant.
_Step = tuple[str | int | float, ...]
_NEGATION: Sequence[_Step] = (("Mul", "x", -1.0),)
#: Beyond them nothing changes: half precision ends at exp(11.1), and begins at exp(-16.6).
_BOUNDS = -80.0, 80.0
_EXPONENTIAL: Sequence[_Step] = (("Clip", "x", *_BOUNDS), ("Exp", 0))
_SIGMOID: Sequence[_Step] = (("Mul", "x", -1.0), ("Clip", 0, *_BOUNDS), ("Exp", 1), ("Add", 2, 1.0), ("Reciprocal", 3))
#: x / (1 + exp(x p(x^2))): p is fitted to the logit of the normal distribution up to 6, within 2.6e-5 of Gelu
#: everywhere. Beyond 6 its argument stays, for there it would bend back.
_GELU: Sequence[_Step] = (
    ("Mul", "x", "x"),
    ("Min", 0, 36.0),
    ("Mul", 1, 7.03035e-4),
    ("Add", 2, -0.0740113),
    ("Mul", 3, 1),
    ("Add", 4, -1.5950158),
    ("Mul", 5, "x"),
    ("Clip", 6, *_BOUNDS),
    ("Exp", 7),
    ("Add", 8, 1.0),
    ("Div", "x", 9),
)
#: Operators that move values and do not change them.
MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity")


def negate_by_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """Negations of floats as products with -1."""
    types = types_of(model)
    return _replace(model, "Neg", _NEGATION, lambda node: node.input[0] in types)


def bound_exponents(model: onnx.ModelProto) -> onnx.ModelProto:
    """Exponentials of floats whose exponents are between -80 and 80."""
    floats, bounded = _in_float(model), {node.output[0] for node in model.graph.node if node.op_type == "Clip"}
    return _replace(model, "Exp", _EXPONENTIAL, lambda node: floats(node) and node.input[0] not in bounded)


def compute_answers(model: onnx.ModelProto) -> onnx.ModelProto:
    """Sigmoids that are outputs as 1 / (1 + exp(-x)): small probabilities keep their digits."""
    ends = {value.name for value in model.graph.output}
    for node in reversed(model.graph.node):
        if node.op_type in MOVES and not ends.isdisjoint(node.output):
            ends.add(node.input[0])
    return _replace(model, "Sigmoid", _SIGMOID, lambda node: node.output[0] in ends)


def compute_gelus(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gelu of floats by an exponential."""
    floats = _in_float(model)

    def exact(node: onnx.NodeProto) -> bool:
        return floats(node) and attribute(node, "approximate", b"none") == b"none"

    return _replace(model, "Gelu", _GELU, exact)


def _in_float(model: onnx.ModelProto) -> Callable[[onnx.NodeProto], bool]:
    """Whether a node computes in float: not between two steps of integers, which a processor takes for one."""
    made = {output: node.op_type for node in model.graph.node for output in node.output}
    floats = {name for node in model.graph.node if node.op_type != "QuantizeLinear" for name in node.input}
    floats |= {value.name for value in model.graph.output}
    return lambda node: made.get(node.input[0]) != "DequantizeLinear" or node.output[0] in floats


def _replace(
    model: onnx.ModelProto, function: str, steps: Sequence[_Step], wanted: Callable[[onnx.NodeProto], bool]
) -> onnx.ModelProto:
    """`model` with those nodes of a function of floats that are `wanted` as `steps`."""
    types = types_of(model)
    nodes, constants = list[onnx.NodeProto](), dict[str, float]()
    for node in model.graph.node:
        kind = types.get(node.input[0], TensorProto.FLOAT) if node.op_type == function else None
        if kind != TensorProto.FLOAT or not wanted(node):
            nodes.append(node)
            continue
        results = [f"{node.output[0]}.{place}" for place in range(len(steps) - 1)] + [node.output[0]]
        for (operator, *read), result in zip(steps, results, strict=True):
            inputs = []
            for what in read:
                if isinstance(what, float):
                    constants[f"constant.{what:g}"] = what
                    inputs.append(f"constant.{what:g}")
                else:
                    inputs.append(results[what] if isinstance(what, int) else node.input[0])
            name = node.name if result == node.output[0] else result
            nodes.append(helper.make_node(str(operator), inputs, [result], name=name))
    return rebuild(model, nodes, {name: np.array(value, np.float32) for name, value in constants.items()})


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    """Tensor -> its type, as far as it follows from the graph."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def put_leaks_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Leaky ReLUs right behind what they were limited in front of, a maximum pool at most between; the limits behind,
    as the leaky ReLU makes them. A rising function may change places with limits and with a maximum."""
    arrays = constants(model)
    users = Counter(name for node in model.graph.node for name in node.input)
    users.update(value.name for value in model.graph.output)
    made = {output: node for node in model.graph.node for output in node.output}
    leaks, renamed, added = dict[str, onnx.NodeProto](), dict[str, str](), dict[str, NDArray[Any]]()
    for node in model.graph.node:
        before = made.get(node.input[0]) if node.op_type == "LeakyRelu" and attribute(node, "alpha", 0.01) > 0 else None
        between = before if before is not None and before.op_type == "MaxPool" and len(before.output) == 1 else None
        clip = made.get(between.input[0]) if between is not None else before
        if clip is None or not _has_operands(clip) or any(name and name not in arrays for name in clip.input[1:]):
            continue
        if all(users[one.output[0]] == 1 for one in (clip, before) if one is not None):
            leaks[clip.output[0]], renamed[node.input[0]] = node, node.output[0]
    nodes, gone = list[onnx.NodeProto](), {leak.output[0] for leak in leaks.values()}
    for node in model.graph.node:
        if node.op_type == "LeakyRelu" and node.output[0] in gone:
            continue
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if leak := leaks.get(node.output[0]):
            slope, copy.input[0] = attribute(leak, "alpha", 0.01), f"{node.output[0]}.leaky"
            nodes.append(helper.make_node("LeakyRelu", [node.input[0]], [copy.input[0]], name=leak.name, alpha=slope))
            for place, name in enumerate(node.input[1:], 1):
                if name:
                    limit, copy.input[place] = arrays[name], f"{copy.input[0]}.{place}"
                    added[copy.input[place]] = np.where(limit < 0, limit * slope, limit).astype(limit.dtype)
        copy.output[0] = renamed.get(copy.output[0], copy.output[0])
        nodes.append(copy)
    return rebuild(model, nodes, added)


def _has_operands(node: onnx.NodeProto) -> bool:
    """Whether a node is a Clip whose limits are operands: before version 11 they were attributes."""
    return node.op_type == "Clip" and not node.attribute


def limit_by_extremes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Limits by maxima and minima, but right behind convolutions and products, which compute them on their way."""
    by_weights = {output for node in model.graph.node if node.op_type in ("Conv", "Gemm") for output in node.output}
    floats = {name for name, kind in types_of(model).items() if kind == TensorProto.FLOAT}
    nodes = list[onnx.NodeProto]()
    for node in model.graph.node:
        if not _has_operands(node) or node.input[0] in by_weights or node.input[0] not in floats:
            nodes.append(node)
            continue
        limits = [(operator, limit) for operator, limit in zip(("Max", "Min"), node.input[1:], strict=False) if limit]
        x = node.input[0]
        for number, (operator, limit) in enumerate(limits, 1):
            out = node.output[0] if number == len(limits) else f"{node.output[0]}.{number}"
            nodes.append(helper.make_node(operator, [x, limit], [out], name=f"{node.name}.{operator}"))
            x = out
        if not limits:
            nodes.append(helper.make_node("Identity", [x], list(node.output), name=node.name))
    return rebuild(model, nodes, {})
