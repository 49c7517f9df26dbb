"""Float graphs made ready for int8 products, and int8 graphs for the kernels of onnxruntime; what is computed stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds
from edgekit.exporters.onnx.graph import attribute, constants, rebuild
from edgekit.exporters.onnx.half import in_bytes
from edgekit.numerics.layers import SMALL
from edgekit.quantization.plan import ASKED, LayerPlan, is_named
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.equalization import equalizing_factors
from edgekit.quantization.weights.gptq import Grid, nearest
from edgekit.runtimes.onnxruntime.runner import evaluate

#: Calls, and rows of each, by which is decided what is equalized.
_CALLS, _ROWS = 4, 256
#: Of the weights: where such layers hold less they stay float, stored in half.
_MUCH = 0.1
#: Operators with weights that have no integer product here: stored in int8. The axis of outputs, where there is one.
STORED = ("Conv", "ConvTranspose", "Einsum")
_OUTPUTS = {"Conv": [0], "ConvTranspose": [1]}


def with_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every Gemm with constant weights as a product and a sum; the graph itself where it has none."""
    held = any(node.op_type == "Gemm" for node in model.graph.node)
    arrays, nodes, added = constants(model) if held else {}, list[onnx.NodeProto](), dict[str, NDArray[Any]]()
    seen = set[str]()
    for i, node in enumerate(model.graph.node):  # graphs from elsewhere may have nodes without a name, or of the same
        node.name = f"{node.name}/{node.op_type}_{i}" if not node.name or node.name in seen else node.name
        seen.add(node.name)
        factor = attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1.0
        if node.op_type != "Gemm" or not factor or attribute(node, "transA", 0) or node.input[1] not in arrays:
            nodes.append(node)
            continue
        weight, out, biased = node.input[1], node.output[0], len(node.input) > 2 and bool(node.input[2])
        if attribute(node, "transB", 0):
            weight = f"{weight}.transposed"
            added[weight] = arrays[node.input[1]].T
        made = f"{out}.product" if biased else out
        nodes.append(helper.make_node("MatMul", [node.input[0], weight], [made], name=node.name))
        if biased:
            nodes.append(helper.make_node("Add", [made, node.input[2]], [out], name=f"{node.name}.bias"))
    return rebuild(model, nodes, added) if held else model


def with_tables(model: onnx.ModelProto, bits: float = 0) -> tuple[onnx.ModelProto, dict[str, LayerPlan]]:
    """Tables that are only looked up (embeddings) in int8, a scale a row; and what became of each.

    Args:
        bits: what a number takes in a packed file on average (`edgekit.quantization.weights.gptq.Grid.coded`); 0: 8.
    """
    grid, told = Grid(8, coded=bits, even=True), f", with {bits:g} bits a weight in the file" if bits else ""
    arrays, nodes, added = constants(model), list[onnx.NodeProto](), dict[str, NDArray[Any]]()
    users = Counter(name for node in model.graph.node for name in node.input)
    lookups = Counter(node.input[0] for node in model.graph.node if node.op_type == "Gather")
    choice: dict[str, LayerPlan] = {}
    last = "last" if "last" not in users else "tables.last"
    added[last] = np.array([-1], np.int64)
    for node in model.graph.node:
        table = arrays.get(node.input[0]) if node.op_type == "Gather" else None
        only = table is not None and users[node.input[0]] == lookups[node.input[0]] and not attribute(node, "axis", 0)
        if table is None or not only or table.ndim != 2 or table.size < SMALL or table.dtype != np.float32:
            nodes.append(node)
            continue
        held, name, (ids, out) = node.input[0], node.name, (node.input[1], node.output[0])
        made = nearest(table.T, grid)
        added[f"{held}.int8"], added[f"{held}.scales"] = np.ascontiguousarray(made.steps.T), made.scales[0]
        choice[name] = LayerPlan("weight-only", f"a table that is looked up: a scale a row{told}")
        nodes += [
            helper.make_node("Gather", [f"{held}.int8", ids], [f"{name}.rows"], name=name, axis=0),
            helper.make_node("Cast", [f"{name}.rows"], [f"{name}.float"], name=f"{name}.cast", to=1),
            helper.make_node("Gather", [f"{held}.scales", ids], [f"{name}.scale"], name=f"{name}.scales", axis=0),
            helper.make_node("Unsqueeze", [f"{name}.scale", last], [f"{name}.column"], name=f"{name}.unsqueeze"),
            helper.make_node("Mul", [f"{name}.float", f"{name}.column"], [out], name=f"{name}.mul"),
        ]
    return rebuild(model, nodes, added) if choice else model, choice


def with_stored(
    model: onnx.ModelProto, floats: Collection[str] = (), kinds: Collection[str] = STORED
) -> tuple[onnx.ModelProto, dict[str, LayerPlan]]:
    """Weights stored in int8, a scale an output, where they are much of all weights; and what became of each layer.

    They are computed with in float: the runtime widens them once, when it opens the file.

    Args:
        floats: names of layers that stay float. kinds: operators whose weights are meant.
    """
    arrays, choice = constants(model), dict[str, LayerPlan]()
    layers = {n.name: i for n in model.graph.node if n.op_type in kinds and (i := _weight(n, arrays)) is not None}
    sizes = [arrays[node.input[layers[node.name]]].size for node in model.graph.node if node.name in layers]
    if sum(sizes) < _MUCH * sum(array.size for array in arrays.values()):
        return model, choice
    nodes, added = list[onnx.NodeProto](), dict[str, NDArray[Any]]()
    for node in model.graph.node:
        at, name, copy = layers.get(node.name), node.name, onnx.NodeProto()
        if is_named(name, floats):
            choice[name] = LayerPlan("float", ASKED)
        elif at is not None and arrays[node.input[at]].size >= SMALL:
            axes = _OUTPUTS.get(node.op_type, range(arrays[node.input[at]].ndim))
            added[f"{name}.int8"], added[f"{name}.scales"] = in_bytes(arrays[node.input[at]], axes)
            nodes.append(helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], name=f"{name}.cast", to=1))
            inputs = [f"{name}.cast", f"{name}.scales"]
            nodes.append(helper.make_node("Mul", inputs, [f"{name}.float"], name=f"{name}.mul"))
            copy.CopyFrom(node)
            copy.input[at] = f"{name}.float"
            choice[name] = LayerPlan("weight-only", f"{node.op_type}: stored in int8, computed in float")
            node = copy
        nodes.append(node)
    return rebuild(model, nodes, added), choice


def _weight(node: onnx.NodeProto, arrays: Mapping[str, NDArray[Any]]) -> int | None:
    """The input that holds a layer's weights."""
    held = [i for i in (1, 0) if i < len(node.input) and node.input[i] in arrays]
    if len(held) != 1 or (held[0] == 0 and node.op_type != "Einsum"):
        return None
    return held[0] if arrays[node.input[held[0]]].dtype == np.float32 else None


def equalize_inputs(model: onnx.ModelProto, products: Sequence[str], feeds: Sequence[Feeds]) -> onnx.ModelProto:
    """The inputs of `products` (nodes with constant weights on the right) equalized where that helps."""
    arrays, by_name = constants(model), {node.name: node for node in model.graph.node}
    groups: dict[str, list[onnx.NodeProto]] = {}
    for name in products:
        if by_name[name].input[1] in arrays:
            groups.setdefault(by_name[name].input[0], []).append(by_name[name])
    seen: dict[str, list[NDArray[Any]]] = {name: [] for name in groups}
    for feed in subsample_evenly(feeds, _CALLS) if groups else ():
        [values] = evaluate(model, [feed], groups)
        for name in groups:
            rows = values[name].reshape(-1, values[name].shape[-1])
            seen[name].append(rows[:: -(-len(rows) // _ROWS)])
    added: dict[str, NDArray[Any]] = {}
    moved: dict[str, NDArray[Any]] = {}
    for name, nodes in groups.items():
        by = equalizing_factors(
            np.concatenate(seen[name]), np.concatenate([arrays[node.input[1]] for node in nodes], axis=1)
        )
        if by is not None:
            moved[name] = added[f"{name}.divided"] = 1 / by
            added |= {f"{node.name}.equalized": arrays[node.input[1]] * by[:, None] for node in nodes}
    return _with_factors(model, moved, added)


def _with_factors(
    model: onnx.ModelProto, moved: dict[str, NDArray[Any]], added: dict[str, NDArray[Any]]
) -> onnx.ModelProto:
    nodes, ready = list[onnx.NodeProto](), set[str]()
    for node in model.graph.node:
        if f"{node.name}.equalized" in added and node.op_type == "MatMul":
            source, node_ = node.input[0], onnx.NodeProto()
            if source not in ready:
                ready.add(source)
                nodes.append(helper.make_node("Mul", [source, f"{source}.divided"], [f"{source}.even"]))
                nodes[-1].name = f"{source}.even"
            node_.CopyFrom(node)
            node_.input[:] = [f"{source}.even", f"{node.name}.equalized"]
            nodes.append(node_)
        else:
            nodes.append(node)
    return rebuild(model, nodes, added) if moved else model


def for_kernels(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` itself, with biases inside of int8 products; and sums before a normalization or a Gelu as `Sum`.

    onnxruntime joins `Add` and `LayerNormalization` into an operator that takes five times as long as the two (1.32 on
    x86: 127 and 25 us for [64, 384]), and `Add` and `Gelu` into one that allocates its output twice (the encoder of
    whisper-base takes 7 % longer for 20 s of sound); `Sum` it leaves alone.
    """
    arrays = constants(model)
    users = Counter(name for node in model.graph.node for name in node.input)
    users.update(value.name for value in model.graph.output)
    made = {output: node for node in model.graph.node for output in node.output}
    apart = {node.input[0] for node in model.graph.node if node.op_type in ("LayerNormalization", "Gelu")}
    gone = set[str]()
    for node in model.graph.node:
        if node.op_type != "Add":
            continue
        for value, bias in (node.input, reversed(node.input)):
            source = made.get(value)
            if source is None or source.op_type != "MatMulIntegerToFloat" or len(source.input) != 6:
                continue
            if users[value] == 1 and bias in arrays and arrays[bias].ndim == 1:
                source.input.append(bias)
                source.output[0] = node.output[0]
                gone.add(node.name)
                break
        else:
            if node.output[0] in apart:
                node.op_type = "Sum"
    for i in reversed(range(len(model.graph.node))):
        if model.graph.node[i].name in gone:
            del model.graph.node[i]
    return model
