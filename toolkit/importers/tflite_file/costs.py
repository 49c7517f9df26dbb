"""The layers of a .tflite, as `Work` for estimates."""

from __future__ import annotations

from math import prod

from edgekit.core import Work
from edgekit.formats import tflite
from edgekit.numerics.layers import Layer, work

__all__ = ["work_of"]

_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")


def work_of(part: str, graph: tflite.Graph) -> Work:
    """The weights and the work of a call."""
    main = graph.subgraphs[0]
    layers: list[Layer] = []
    for operator in main.operators:
        if operator.name not in _PRODUCTS:
            continue
        # A transposed convolution takes its output's shape first, and its input last.
        before = main.tensors[operator.inputs[2 if operator.name == "TRANSPOSE_CONV" else 0]]
        weight, after = main.tensors[operator.inputs[1]], main.tensors[operator.outputs[0]]
        outputs = after.shape[-1] if after.shape else 1
        uses = before if operator.name == "TRANSPOSE_CONV" else after
        positions = max(1, uses.count // max(1, uses.shape[-1] if uses.shape else 1))
        layers.append(Layer(weight.count, outputs, positions, before.count + after.count))
    constants = sum(
        tensor.count for tensor in main.tensors if tensor.data is not None and tensor.dtype in ("float32", "float16")
    )
    counted = sum(layer.weights + layer.outputs for layer in layers)
    convolutional = any("CONV" in operator.name for operator in main.operators)
    return work(
        part,
        "convolution" if convolutional else "vector",
        layers,
        tables=max(0, constants - counted),
        held=max((prod(tensor.shape) for tensor in main.tensors if tensor.data is None), default=0),
    )
