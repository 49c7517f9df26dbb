"""The layers of a .tflite, as `Work` for estimates; and what it costs on a microcontroller."""

from __future__ import annotations

from math import prod

from edgekit.core import Costs, Work
from edgekit.formats import tflite
from edgekit.numerics.layers import Layer, work

#: Bytes of the kernels of a small network on a chip, as `exporters/c` counts them.
_CODE = 6_000
#: Bytes of a channel's multiplier and shift.
_CHANNEL = 8
#: Bytes of a value; what a chip does not hold (the handle of a variable) takes none.
_SIZES = {"bool": 1, "int4": 1, "int8": 1, "uint8": 1, "int16": 2, "float16": 2, "int32": 4, "float32": 4, "int64": 8}
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


def chip_costs(graph: tflite.Graph) -> Costs:
    """Flash and RAM of firmware: there is no runtime, and one arena holds what an operator may still read."""
    main = graph.subgraphs[0]
    weights = {index for operator in main.operators if operator.name in _PRODUCTS for index in operator.inputs}
    held = [main.tensors[index] for index in sorted(weights) if index >= 0 and main.tensors[index].data is not None]
    channels = sum(tensor.count for tensor in held if tensor.dtype == "int32")
    flash = _CODE + sum(_bytes(tensor) for tensor in held) + _CHANNEL * channels
    ram = _arena(main)
    return Costs(size=lambda recipe: flash, memory=lambda recipe: ram)


def _arena(main: tflite.Subgraph) -> int:
    """The least that holds, at every operator, what is read or written there or read later; and the variables."""
    last: dict[int, int] = {}
    for place, operator in enumerate(main.operators):
        last |= dict.fromkeys((*operator.inputs, *operator.outputs), place)
    last |= dict.fromkeys(main.outputs, len(main.operators))
    kept = {index for operator in main.operators if operator.name == "READ_VARIABLE" for index in operator.outputs}
    alive, most = set(main.inputs), 0
    for place, operator in enumerate(main.operators):
        alive |= {*operator.outputs} - kept
        most = max(most, sum(_bytes(main.tensors[index]) for index in alive if main.tensors[index].data is None))
        alive = {index for index in alive if last.get(index, 0) > place}
    return most + sum(_bytes(main.tensors[index]) for index in kept)


def _bytes(tensor: tflite.Tensor) -> int:
    return tensor.count * _SIZES.get(tensor.dtype, 0)
