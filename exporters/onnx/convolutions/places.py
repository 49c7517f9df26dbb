"""What of a float graph is to become static int8: products, tensors, and pixels that are quantized already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.onnx.graph import attribute, constants, rebuild

#: Operators with weights that have an integer form.
PRODUCTS = ("Conv", "Gemm", "MatMul")
#: Operators that onnxruntime has in integers, without weights.
_OTHERS = ("Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool")
#: Operators that move values and do not change them.
MOVES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Identity", "Split")
_LIMITS = ("Relu", "Clip")
#: Channels of what is still a picture.
_CHANNELS = 4
#: SiLU makes at most 0.003 of what is below.
_SILU = -8.0
#: Operators whose results may span many decades: what follows stays float, because one step for all loses the small.
_WIDE = ("Exp", "Pow", "ReduceSum", "Softmax", "Sqrt")


@dataclass
class Places:
    """What is to be quantized in `model`.

    Attributes:
        products: the nodes with weights, by name.
        roots: quantized tensor -> the tensor whose range it has (itself, or what it is only another view of).
        given: tensor -> (scale, zero point), where the pixels decide.
        limits: product -> the Relu or Clip that belongs to it.
        others: the nodes without weights that have an integer form.
        floors: tensor -> below this value it makes no difference to what reads it.
        whole: whether results of products are quantized whatever reads them, and products of two activations are, too.
    """

    model: onnx.ModelProto
    products: dict[str, onnx.NodeProto] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    given: dict[str, tuple[float, int]] = field(default_factory=dict)
    limits: dict[str, onnx.NodeProto] = field(default_factory=dict)
    others: list[onnx.NodeProto] = field(default_factory=list)
    floors: dict[str, float] = field(default_factory=dict)
    whole: bool = False

    @property
    def tensors_to_calibrate(self) -> list[str]:
        """The tensors whose ranges are needed."""
        return sorted(set(self.roots.values()) - set(self.given))


def rewrite_for_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph in operators that lose least in integers.

    The mean over an image becomes GlobalAveragePool. A convolution of one position whose result is read in float
    becomes a product of matrices: that may give float, where a convolution's result has to be quantized.
    """
    arrays = constants(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        axes = arrays.get(node.input[1]) if node.op_type == "ReduceMean" and len(node.input) > 1 else None
        if axes is None or sorted(axes.tolist()) not in ([2, 3], [-2, -1]):
            nodes.append(node)
        elif attribute(node, "keepdims", 1):
            nodes.append(helper.make_node("GlobalAveragePool", [node.input[0]], list(node.output), name=node.name))
        else:
            pooled = f"{node.output[0]}.pooled"
            nodes.append(helper.make_node("GlobalAveragePool", [node.input[0]], [pooled], name=node.name))
            nodes.append(helper.make_node("Flatten", [pooled], list(node.output), name=f"{node.name}.flatten", axis=1))
    return _with_gemms(rebuild(model, nodes, {}))


def _with_gemms(model: onnx.ModelProto) -> onnx.ModelProto:
    arrays, shapes, users = constants(model), _shapes(model), _users(model)
    nodes: list[onnx.NodeProto] = []
    added: dict[str, NDArray[Any]] = {}
    for node in model.graph.node:
        name, source, result = node.name, node.input[0], node.output[0]
        if node.op_type != "Conv" or not _is_single(node, arrays, shapes.get(source, ())) or _read_whole(result, users):
            nodes.append(node)
            continue
        weight = arrays[node.input[1]]
        added[f"{name}.matrix"] = weight.reshape(weight.shape[:2])
        added[f"{name}.axes"] = np.arange(2, len(shapes[source]))
        nodes.append(helper.make_node("Flatten", [source], [f"{name}.row"], name=f"{name}.flatten", axis=1))
        inputs = [f"{name}.row", f"{name}.matrix", *node.input[2:]]
        nodes.append(helper.make_node("Gemm", inputs, [f"{name}.product"], name=name, transB=1))
        nodes.append(helper.make_node("Unsqueeze", [f"{name}.product", f"{name}.axes"], [result], name=f"{name}.back"))
    return rebuild(model, nodes, added) if added else model


def _is_single(node: onnx.NodeProto, arrays: Mapping[str, NDArray[Any]], shape: Sequence[int]) -> bool:
    """Whether a convolution multiplies the channels of one position by its weights, and nothing else."""
    weight = arrays.get(node.input[1])
    plain = weight is not None and weight.size == weight.shape[0] * weight.shape[1] and attribute(node, "group", 1) == 1
    whole = not any(attribute(node, "pads", [])) and all(stride == 1 for stride in attribute(node, "strides", []))
    return bool(plain and whole and len(shape) > 2 and all(size == 1 for size in shape[2:]))


def _read_whole(name: str, users: Mapping[str, Sequence[onnx.NodeProto]]) -> bool:
    """Whether a tensor is read in integers, or by a limit that integers take the place of."""
    return any(
        user.op_type in (*PRODUCTS, *_OTHERS, *_LIMITS)
        or (user.op_type in MOVES and _read_whole(user.output[0], users))
        for user in users.get(name, [])
    )


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Tensor -> its sizes; 0 for those that are not fixed."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    typed = ((value.name, value.type.tensor_type.shape.dim) for value in (*graph.input, *graph.value_info))
    return {name: [dim.dim_value for dim in dims] for name, dims in typed}


def _users(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return users


def convolutional(model: onnx.ModelProto) -> bool:
    """Whether convolutions hold more weights than products of sequences do; a classifier behind them does not count."""
    arrays, held = constants(model), dict.fromkeys(PRODUCTS, 0)
    for node in model.graph.node:
        if node.op_type in PRODUCTS and node.input[1] in arrays:
            held[node.op_type] += arrays[node.input[1]].size
    return held["Conv"] > held["MatMul"]


def places(model: onnx.ModelProto, *, whole: bool = False, bits: int = 8) -> Places:
    """What can be quantized in `model` (see `rewrite_for_int8`).

    Args:
        whole: see `Places`. bits: of activations. With 16, bytes that come in are no quantized values, and products of
            two activations stay float: processors are no better at them than half precision is.
    """
    found, arrays, users = Places(model, whole=whole), constants(model), _users(model)
    outputs = {value.name for value in model.graph.output}
    wide = {output for node in model.graph.node if node.op_type in _WIDE for output in node.output}
    other, made = _not_float(model), {output: node for node in model.graph.node for output in node.output}
    found.given.update(_pixels(model, arrays) if bits == 8 else {})
    found.roots.update({name: name for name in found.given})  # what they are only moved to has their steps too
    for node in model.graph.node:
        if node.op_type in PRODUCTS and _is_product(node, arrays):
            found.products[node.name] = node
            out, after = node.output[0], users.get(node.output[0], [])
            if len(after) == 1 and after[0].op_type in _LIMITS and out not in outputs:
                found.limits[node.name] = after[0]
                out = after[0].output[0]
            # A convolution needs integers behind it to be one; a product of matrices may give float.
            inputs = [node.input[0]]
            wanted = (
                whole
                or node.op_type == "Conv"
                or any(user.op_type in (*PRODUCTS, *_OTHERS) for user in users.get(out, []))
            )
            results = [out] if wanted else []
        elif (
            whole
            and bits == 8
            and node.op_type == "MatMul"
            and not any(name in arrays or name in other for name in node.input)
        ):
            inputs, results = list(node.input), list(node.output)
            found.others.append(node)
        elif node.op_type in _OTHERS and not any(
            name in arrays or name in wide or name in other for name in node.input
        ):
            inputs, results = list(node.input), list(node.output)
            found.others.append(node)
            found.floors.update(_floor(node, made, users))
        elif node.op_type in MOVES and node.input[0] in found.roots:
            inputs, results = [], []
            found.roots.update(dict.fromkeys(node.output, found.roots[node.input[0]]))
        else:
            continue
        for name in (*inputs, *results):
            found.roots.setdefault(name, name)
    return found


def _floor(node: onnx.NodeProto, made: Mapping[str, onnx.NodeProto], users: Mapping[str, Any]) -> dict[str, float]:
    """What only a SiLU reads, ``x * Sigmoid(x)``: of large negative values it makes nothing, so no step is theirs."""
    gates = [made[name].input[0] for name in node.input if name in made and made[name].op_type == "Sigmoid"]
    return {x: _SILU for x in gates if node.op_type == "Mul" and x in node.input and len(users[x]) == 2}


def head(wanted: Places) -> list[str]:
    """The first convolutions, by name: of at most four channels of the input, and the depthwise ones right behind them.

    One scale for all channels loses most there. onnxruntime takes as long for them in float, OpenVINO does not.
    """
    arrays, names = constants(wanted.model), list[str]()
    first, behind = set[str](), set[str]()  # outputs of the first convolutions; what any product is part of
    for node in wanted.model.graph.node:
        product = node.name in wanted.products
        if product and node.op_type == "Conv" and (weight := arrays[node.input[1]]).ndim == 4:
            if weight.shape[1] <= _CHANNELS and attribute(node, "group", 1) == 1 and node.input[0] not in behind:
                first.add(wanted.limits.get(node.name, node).output[0])
                names.append(node.name)
            elif weight.shape[1] == 1 and node.input[0] in first:
                names.append(node.name)
        if product or not behind.isdisjoint(node.input):
            behind.update(node.output)
    return names


def _not_float(model: onnx.ModelProto) -> set[str]:
    """Tensors that hold no float32, such as the shapes in a foreign graph."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info)}
    return {name for name, dtype in types.items() if dtype and dtype != onnx.TensorProto.FLOAT}


def _is_product(node: onnx.NodeProto, arrays: Mapping[str, NDArray[Any]]) -> bool:
    weight = arrays.get(node.input[1])
    if weight is None or weight.dtype != np.float32 or node.input[0] in arrays:
        return False
    if len(node.input) > 2 and node.input[2] and node.input[2] not in arrays:
        return False
    if node.op_type == "Gemm":
        plain = attribute(node, "alpha", 1.0) == 1.0 and attribute(node, "beta", 1.0) == 1.0
        return plain and not attribute(node, "transA", 0)
    return node.op_type == "Conv" or weight.ndim == 2


def _pixels(model: onnx.ModelProto, arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[float, int]]:
    """Float tensors that are (uint8 - zero point) x scale -> (scale, zero point): Cast, Sub or not, then Div or Mul."""
    made = {output: node for node in model.graph.node for output in node.output}
    bytes_in = {v.name for v in model.graph.input if v.type.tensor_type.elem_type == onnx.TensorProto.UINT8}
    found: dict[str, tuple[float, int]] = {}
    for last in model.graph.node:
        factor = arrays.get(last.input[1]) if last.op_type in ("Div", "Mul") else None
        before = made.get(last.input[0]) if factor is not None and factor.size == 1 else None
        zero: NDArray[Any] | None = np.zeros(())
        if before is not None and before.op_type == "Sub":
            zero, before = arrays.get(before.input[1]), made.get(before.input[0])
        if before is None or before.op_type != "Cast" or zero is None or zero.size != 1:
            continue
        source = made.get(before.input[0])
        start = source.input[0] if source is not None and source.op_type == "Transpose" else before.input[0]
        assert factor is not None
        scale = float(1 / factor.item() if last.op_type == "Div" else factor.item())
        if start in bytes_in and scale > 0 and zero.item() in range(256):
            found[last.output[0]] = (scale, int(zero.item()))
    return found
