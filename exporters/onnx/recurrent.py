"""int8 for recurrent layers in ONNX. Weights have a scale for every row of every gate (with one for a whole matrix, the
speaker encoder's embeddings had a cosine of 0.96 with those of float, with one a row 0.999).

``dynamic``
    `DynamicQuantizeLSTM`, onnxruntime's own operator: inputs and states are quantized while running.
``weight-only``
    Stored in int8; the runtime widens them once, when it opens the file, and computes in float. For GRUs and plain
    recurrent layers, which onnxruntime has in float only, and for the LSTM that reads the part's own input: features
    without a logarithm lose their small values in int8 (the speaker encoder's embeddings were 45 % away).
``float``
    Where stored weights alone move the outputs too far. The speaker encoder's features are powers, most of them far
    smaller than the largest, and the weights that meet them are as unlike: its embeddings had cosines down to 0.91 with
    those of float, and to 0.97 where inputs, too, had scales, by how large they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds
from edgekit.exporters.onnx.graph import CONTRIB, attribute, constants, rebuild
from edgekit.quantization.candidates import Truth
from edgekit.quantization.plan import LayerPlan
from edgekit.quantization.samples import subsample_evenly
from edgekit.runtimes.onnxruntime.runner import evaluate

_LAYERS = ("LSTM", "GRU", "RNN")
#: Operators that torch's exporter leaves between an LSTM and its weights, whose gates have another order in ONNX.
_MOVES = ("Slice", "Split", "Concat", "Unsqueeze", "Squeeze", "Transpose", "Reshape", "Identity")
#: A layer whose stored weights alone move the part's outputs by more stays float; calls by which it is measured.
_MOST, _CALLS = 0.03, 4
#: Attributes that the int8 operator has too.
_SHARED = ("activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size", "input_forget")


def quantize(model: onnx.ModelProto, feeds: Sequence[Feeds] = ()) -> tuple[onnx.ModelProto, dict[str, LayerPlan]]:
    """A copy of `model` in which every recurrent layer with constant weights is int8, and what became of each.

    Args:
        feeds: inputs of the part, to measure by what stored weights cost.
    """
    layers = [node for node in model.graph.node if node.op_type in _LAYERS]
    if not layers:
        return model, {}
    arrays, few = with_folded(model), subsample_evenly(feeds, _CALLS)
    choice = {node.name: _plan(node, model) for node in layers if arrays.keys() >= {*node.input[1:3]}}
    stored = {name: layer for name, layer in choice.items() if layer.form == "weight-only"} if few else {}
    for name, layer in stored.items():
        made = evaluate(_apply_forms(model, arrays, {name: layer}), few)
        if (error := Truth(evaluate(model, few)).error(made)) > _MOST:
            choice[name] = LayerPlan("float", f"stored in int8 it alone moves the outputs by {error:.1%}: too far")
    return _apply_forms(model, arrays, choice), choice


def with_folded(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """The constants of a graph, and what operators that only move them make of them."""
    arrays: dict[str, NDArray[Any]] = dict(constants(model))
    for node in model.graph.node:
        if node.op_type in _MOVES and all(name in arrays for name in node.input if name):
            feeds = {name: arrays[name] for name in node.input if name}
            made: Any = ReferenceEvaluator(node).run(None, feeds)
            arrays |= zip(node.output, made, strict=True)
    return arrays


def _apply_forms(
    model: onnx.ModelProto, arrays: Mapping[str, NDArray[Any]], choice: Mapping[str, LayerPlan]
) -> onnx.ModelProto:
    nodes: list[onnx.NodeProto] = []
    added: dict[str, NDArray[Any]] = {}
    for node in model.graph.node:
        make = _MAKERS.get(choice[node.name].form) if node.name in choice else None
        if node.output[0] in arrays:
            added |= {name: arrays[name] for name in node.output if name}
        else:
            nodes += make(node, arrays, added) if make else [node]
    return rebuild(model, nodes, added, contrib=True)


def _plan(node: onnx.NodeProto, model: onnx.ModelProto) -> LayerPlan:
    if node.op_type != "LSTM":
        return LayerPlan("weight-only", f"onnxruntime computes a {node.op_type} in float only")
    if attribute(node, "layout", 0):
        return LayerPlan("weight-only", "onnxruntime computes it in int8 only where time is the first axis")
    if _reads_input(node, model):
        return LayerPlan("weight-only", "reads the part's own input, whose values may span many decades")
    return LayerPlan("dynamic", "the weights of a recurrent layer are read at every frame")


def _reads_input(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """Whether a layer's input is the part's own. Features without a logarithm lose their small values in int8."""
    made = {output: maker for maker in model.graph.node for output in maker.output}
    name = node.input[0]
    while name in made and made[name].op_type in _MOVES:
        name = made[name].input[0]
    return name in {value.name for value in model.graph.input}


def _rows(
    node: onnx.NodeProto, arrays: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, NDArray[np.int8], NDArray[np.float32]]]:
    """Of the weights of inputs and of states: a name, int8 [directions, gates x hidden, inputs], a scale a row."""
    for name, kind in zip(node.input[1:3], ("input", "state"), strict=True):
        weight = arrays[name]
        scales = np.abs(weight).max(axis=2) / 127
        scales[scales == 0] = 1
        values = np.rint(weight / scales[..., None]).clip(-127, 127).astype(np.int8)
        yield f"{node.name}.{kind}", values, scales.astype(np.float32)


def _weight_only_nodes(
    node: onnx.NodeProto, arrays: Mapping[str, NDArray[Any]], added: dict[str, NDArray[Any]]
) -> list[onnx.NodeProto]:
    nodes, copy = [], onnx.NodeProto()
    copy.CopyFrom(node)
    for place, (base, values, scales) in enumerate(_rows(node, arrays), 1):
        added[f"{base}.int8"], added[f"{base}.scales"] = values, scales[..., None]
        nodes.append(helper.make_node("Cast", [f"{base}.int8"], [f"{base}.cast"], to=onnx.TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{base}.cast", f"{base}.scales"], [f"{base}.float"]))
        copy.input[place] = f"{base}.float"
    return [*nodes, copy]


def _integer(
    node: onnx.NodeProto, arrays: Mapping[str, NDArray[Any]], added: dict[str, NDArray[Any]]
) -> list[onnx.NodeProto]:
    operands = []
    for base, values, scales in _rows(node, arrays):
        added[f"{base}.int8"], added[f"{base}.scales"] = np.ascontiguousarray(values.transpose(0, 2, 1)), scales
        added[f"{base}.zeros"] = np.zeros(scales.shape, np.int8)
        operands.append(base)
    rest = [*node.input[3:], *[""] * 8][:5]  # bias, lengths, first states, peepholes
    scales_and_zeros = [f"{base}.{what}" for base in operands for what in ("scales", "zeros")]
    copy = helper.make_node(
        "DynamicQuantizeLSTM",
        [node.input[0], *(f"{base}.int8" for base in operands), *rest, *scales_and_zeros],
        list(node.output),
        name=node.name,
        domain=CONTRIB,
    )
    copy.attribute.extend(entry for entry in node.attribute if entry.name in _SHARED)
    return [copy]


_MAKERS = {"dynamic": _integer, "weight-only": _weight_only_nodes}
