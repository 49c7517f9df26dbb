"""A ready ONNX graph: what the onnx exporter takes as it is, and the reference of what is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgekit.common.lazy import numpy_helper, onnx
from edgekit.common.processors import usable_processors
from edgekit.core import Part, TensorSpec
from edgekit.formats.onnx.graph import array_of, title
from edgekit.runtimes.onnxruntime.runner import OnnxRunner


class OnnxGraph(OnnxRunner):
    """The graph in onnxruntime, with the inputs and outputs of a part.

    Attributes:
        model: with its weights among the initializers, each axis fixed or named as the part says, and a name for every
            node.

    Raises:
        BadInput: onnxruntime refuses it. MissingExtra: onnxruntime is absent.
    """

    def __init__(self, model: onnx.ModelProto, part: Part) -> None:
        self.model = _canonicalize_model(model, part)
        super().__init__(self.model.SerializeToString(), usable_processors())
        self.inputs, self.outputs = part.inputs, part.outputs


def _canonicalize_model(model: onnx.ModelProto, part: Part) -> onnx.ModelProto:
    """A copy of `model` as the exporter's census and quantizers read it. No weight changes."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph = out.graph
    kept = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    for tensor in graph.initializer:
        if not tensor.HasField("raw_data"):
            tensor.CopyFrom(numpy_helper.from_array(array_of(tensor), tensor.name))
    seen: Counter[str] = Counter()
    for node in graph.node:
        name = title(node)
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}_{seen[name]}"
    _set_axes(graph.input, part.inputs)
    _set_axes(graph.output, part.outputs)
    del graph.value_info[:]
    return out


def _set_axes(values: Sequence[onnx.ValueInfoProto], specs: Sequence[TensorSpec]) -> None:
    for value, spec in zip(values, specs, strict=True):
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for size in spec.shape:
            if isinstance(size, int):
                shape.dim.add().dim_value = size
            else:
                shape.dim.add().dim_param = size
        if not spec.shape:
            shape.SetInParent()
