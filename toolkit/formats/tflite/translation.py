"""A float .tflite as a torch module, so that every exporter can take it and quantize it.

TensorFlow Lite keeps pictures as [batch, height, width, channels]; here they lie as torch's convolutions want them, and
are turned only where the order shows: at inputs, outputs and reshapes. Weights in float16 become float32.

Not here: networks in integers, control flow, state. What is not known is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.tflite.reader import Graph, Operator, Subgraph

_FROM_TFLITE, _TO_TFLITE = (0, 3, 1, 2), (0, 2, 3, 1)
_ACTIVATIONS: dict[int, Callable[[Tensor], Tensor] | None] = {0: None, 1: F.relu, 3: F.relu6, 4: torch.tanh}
#: Layers are made without weights, until those of the file are known to fit: shapes may ask for any memory.
_UNMADE = "meta"
_SAME = 0
#: A transposed convolution with a bias, of MediaPipe; its stride is not stored in the schema but in its own bytes.
_TRANSPOSED = "CUSTOM:Convolution2DTransposeBias"

Make = Callable[["_Constants", Operator], nn.Module]


def translate_graph(graph: Graph) -> Translated:
    """The module of `graph`.

    Raises:
        Unsupported: an operator that is not known here. BadInput: operators that do not fit together.
    """
    main = graph.subgraphs[0]
    try:
        return Translated(main).eval()
    except (ArithmeticError, LookupError, ValueError, TypeError, RuntimeError, AttributeError) as exc:
        raise BadInput(f"the .tflite is damaged: its operators do not fit together ({exc}).") from exc


class Translated(nn.Module):
    """The graph: float32 inputs in TensorFlow Lite's shapes -> a tuple of its outputs, in its shapes."""

    def __init__(self, main: Subgraph) -> None:
        super().__init__()
        constants = _Constants(main)
        self.steps = nn.ModuleList()
        self._inputs, self._outputs = main.inputs, main.outputs
        self._wires: list[tuple[tuple[int, ...], int]] = []
        self._names: list[str] = []
        for operator in main.operators:
            if operator.outputs and operator.outputs[0] in constants.values:
                continue
            self.steps.append(_translate_operator(constants, operator))
            wires = tuple(at for at in operator.inputs if at >= 0 and at not in constants.values)
            self._wires.append((wires, operator.outputs[0]))
            self._names.append(operator.name)

    def keep(self, places: Sequence[int]) -> None:
        """Compute only the outputs at these places, in this order, and what they need."""
        self._outputs = tuple(self._outputs[place] for place in places)
        needed = set(self._outputs)
        kept: list[int] = []
        for at in reversed(range(len(self._wires))):
            wires, output = self._wires[at]
            if output in needed:
                needed |= set(wires)
                kept.insert(0, at)
        self.steps = nn.ModuleList(self.steps[at] for at in kept)
        self._wires, self._names = [self._wires[at] for at in kept], [self._names[at] for at in kept]

    def without_last(self, name: str) -> None:
        """Leave out the operator that makes the only output. Raises BadInput if it is not a `name`."""
        if len(self._outputs) != 1 or self._wires[-1][1] != self._outputs[0] or self._names[-1] != name:
            raise BadInput(f"the .tflite does not end with {name}.")
        self.steps[-1] = nn.Identity()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values = {at: _permute_axes(value, _FROM_TFLITE) for at, value in zip(self._inputs, inputs, strict=True)}
        for step, (wires, output) in zip(self.steps, self._wires, strict=True):
            values[output] = step(*(values[at] for at in wires))
        return tuple(_permute_axes(values[at], _TO_TFLITE) for at in self._outputs)


class _Constants:
    """The constants of a graph as float32 or whole numbers, with those that operators only unpack."""

    def __init__(self, main: Subgraph) -> None:
        self.tensors = main.tensors
        self.values: dict[int, NDArray[Any]] = {}
        for at, tensor in enumerate(main.tensors):
            if tensor.data is not None:
                real = tensor.dtype == "float16"
                self.values[at] = tensor.data.astype(np.float32) if real else tensor.data
                if tensor.quantization is not None or tensor.dtype in ("int8", "uint8", "int16"):
                    raise Unsupported(
                        f"the tensor {tensor.name!r} of the .tflite is in integers, and only float is translated.",
                        hint="Take the file as it is: edgekit export FILE.tflite",
                    )
        for operator in main.operators:
            if operator.name in ("DEQUANTIZE", "DENSIFY") and operator.inputs[0] in self.values:
                self.values[operator.outputs[0]] = self.values[operator.inputs[0]]

    def get(self, operator: Operator, place: int) -> NDArray[Any]:
        """The constant input `place` of an operator. Raises BadInput where it is computed."""
        at = operator.inputs[place]
        if at not in self.values:
            raise BadInput(f"operator {operator.index} ({operator.name}) of the .tflite has no constant input {place}.")
        return self.values[at]

    def bias(self, operator: Operator) -> Tensor | None:
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return None
        return _tensor(self.get(operator, 2))

    def shape(self, at: int) -> tuple[int, ...]:
        return self.tensors[at].shape


class _Function(nn.Module):
    """An operator without weights."""

    def __init__(self, function: Callable[..., Tensor], activation: int = 0) -> None:
        super().__init__()
        self._function, self._activation = function, _activation(activation)

    def forward(self, *values: Tensor) -> Tensor:
        out = self._function(*values)
        return self._activation(out) if self._activation else out


class _Layer(nn.Module):
    """A product with weights, zeros around it before, its activation behind it."""

    def __init__(self, product: nn.Module, around: Sequence[int], activation: int) -> None:
        super().__init__()
        self.product, self._around, self._activation = product, tuple(around), _activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.product(F.pad(x, self._around) if any(self._around) else x)
        return self._activation(out) if self._activation else out


def _translate_operator(constants: _Constants, operator: Operator) -> nn.Module:
    make = _OPERATORS.get(operator.name)
    if make is None:
        raise Unsupported(
            f"operator {operator.index} of the .tflite is {operator.name}, which cannot be translated.",
            hint="Take the file as it is, for LiteRT: edgekit export FILE.tflite",
        )
    return make(constants, operator)


def _activation(number: int) -> Callable[[Tensor], Tensor] | None:
    if number not in _ACTIVATIONS:
        raise Unsupported(f"the .tflite has a layer with activation {number}, which cannot be translated.")
    return _ACTIVATIONS[number]


def _permute_axes(value: Tensor, order: tuple[int, ...]) -> Tensor:
    return value.permute(*order) if value.dim() == 4 else value


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _fill_weights(layer: Any, weight: NDArray[Any], bias: Tensor | None) -> nn.Module:
    kernel = _tensor(weight)
    if kernel.shape != layer.weight.shape:
        raise BadInput(f"a layer of the .tflite has weights {list(kernel.shape)} for {list(layer.weight.shape)}.")
    layer.weight = nn.Parameter(kernel, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    module: nn.Module = layer
    return module


def _around(operator: Operator, size: tuple[int, ...], kernel: tuple[int, int]) -> tuple[list[int], tuple[int, int]]:
    """Zeros (left, right, above, below) that TensorFlow's padding adds, and the strides (down, across)."""
    options = operator.options
    strides = (int(options["stride_height"]), int(options["stride_width"]))
    if min(strides) < 1 or int(options.get("dilation_height", 1)) != 1 or int(options.get("dilation_width", 1)) != 1:
        raise Unsupported(f"operator {operator.index} ({operator.name}) has strides or dilations that are not known.")
    around = [0, 0, 0, 0]
    if options["padding"] == _SAME:
        for axis in (0, 1):
            extent = size[1 + axis]
            total = max((-(-extent // strides[axis]) - 1) * strides[axis] + kernel[axis] - extent, 0)
            around[2 - 2 * axis : 4 - 2 * axis] = [total // 2, total - total // 2]
    return around, strides


def _convolution(constants: _Constants, operator: Operator) -> nn.Module:
    weight = constants.get(operator, 1)
    deep = operator.name == "DEPTHWISE_CONV_2D"
    high, wide = weight.shape[1:3]
    around, strides = _around(operator, constants.shape(operator.inputs[0]), (high, wide))
    even = around[0] == around[1] and around[2] == around[3]
    inputs = constants.shape(operator.inputs[0])[3]
    weight = weight.transpose(3, 0, 1, 2) if deep else weight.transpose(0, 3, 1, 2)
    layer = nn.Conv2d(
        inputs,
        weight.shape[0],
        (high, wide),
        strides,
        (around[2], around[0]) if even else 0,
        groups=inputs if deep else 1,
        bias=constants.bias(operator) is not None,
        device=_UNMADE,
    )
    filled = _fill_weights(layer, weight, constants.bias(operator))
    return _Layer(filled, (0, 0, 0, 0) if even else around, operator.options["activation"])


def _transposed_convolution(constants: _Constants, operator: Operator) -> nn.Module:
    weight, bias = constants.get(operator, 1), constants.bias(operator)
    before, after = constants.shape(operator.inputs[0]), constants.shape(operator.outputs[0])
    strides = (after[1] // before[1], after[2] // before[2])
    if strides != weight.shape[1:3]:
        raise Unsupported(f"operator {operator.index} is a transposed convolution whose kernels overlap.")
    layer = nn.ConvTranspose2d(before[3], weight.shape[0], strides, strides, bias=bias is not None, device=_UNMADE)
    return _Layer(_fill_weights(layer, weight.transpose(3, 0, 1, 2), bias), (0, 0, 0, 0), 0)


def _fully_connected(constants: _Constants, operator: Operator) -> nn.Module:
    weight = constants.get(operator, 1)
    bias = constants.bias(operator)
    layer = _fill_weights(
        nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device=_UNMADE), weight, bias
    )
    if operator.options.get("keep_dims"):
        raise Unsupported(f"operator {operator.index} (FULLY_CONNECTED) keeps its dimensions, which is not known here.")
    flat = nn.Sequential(_Function(lambda x: _permute_axes(x, _TO_TFLITE).reshape(-1, weight.shape[1])), layer)
    return _Layer(flat, (), operator.options["activation"])


def _pool(constants: _Constants, operator: Operator) -> nn.Module:
    kernel = (int(operator.options["filter_height"]), int(operator.options["filter_width"]))
    size = constants.shape(operator.inputs[0])
    around, strides = _around(operator, size, kernel)
    if any(around):
        raise Unsupported(f"operator {operator.index} ({operator.name}) pads, which is not known here.")
    activation = operator.options["activation"]
    if operator.name == "MAX_POOL_2D":
        return _Function(lambda x: F.max_pool2d(x, kernel, strides), activation)
    if kernel == tuple(size[1:3]):  # a mean of everything, for which every format has a form of its own
        return _Function(lambda x: x.mean((2, 3), keepdim=True), activation)
    return _Function(lambda x: F.avg_pool2d(x, kernel, strides), activation)


class _WithConstant(nn.Module):
    """A sum, difference or product with a constant."""

    constant: Tensor

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], constant: Tensor, *, first: bool) -> None:
        super().__init__()
        self.register_buffer("constant", constant)
        self._function, self._first = function, first

    def forward(self, x: Tensor) -> Tensor:
        return self._function(self.constant, x) if self._first else self._function(x, self.constant)


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Make:
    def make(constants: _Constants, operator: Operator) -> nn.Module:
        held = [at for at in operator.inputs if at in constants.values]
        if not held:
            return _Function(function, operator.options["activation"])
        value = _tensor(constants.values[held[0]])
        if len(constants.shape(operator.outputs[0])) == 4 and value.dim():
            value = value.reshape((1,) * (4 - value.dim()) + tuple(value.shape)).permute(*_FROM_TFLITE)
        step = _WithConstant(function, value, first=held[0] == operator.inputs[0])
        return _Layer(step, (), operator.options["activation"])

    return make


def _reshape(constants: _Constants, operator: Operator) -> nn.Module:
    shape = constants.shape(operator.outputs[0])
    return _Function(lambda x: _permute_axes(_permute_axes(x, _TO_TFLITE).reshape(shape), _FROM_TFLITE))


def _concatenation(constants: _Constants, operator: Operator) -> nn.Module:
    axis, rank = int(operator.options["axis"]), len(constants.shape(operator.outputs[0]))
    axis = axis % rank
    axis = _TO_TFLITE[axis] if rank == 4 else axis
    return _Function(lambda *values: torch.cat(values, axis), operator.options["activation"])


def _pad(constants: _Constants, operator: Operator) -> nn.Module:
    amounts = [tuple(map(int, pair)) for pair in constants.get(operator, 1)]
    amounts = [amounts[at] for at in _FROM_TFLITE] if len(amounts) == 4 else amounts
    around = [side for pair in reversed(amounts) for side in pair]
    while around[-2:] == [0, 0]:
        around = around[:-2]
    return _Function(lambda x: F.pad(x, around))


def _mean(constants: _Constants, operator: Operator) -> nn.Module:
    rank, keep = len(constants.shape(operator.inputs[0])), bool(operator.options["keep_dims"])
    axes = [int(axis) % rank for axis in np.atleast_1d(constants.get(operator, 1))]
    if rank == 4 and not keep and sorted(axes) != [1, 2]:
        raise Unsupported(f"operator {operator.index} (MEAN) is not over a picture's height and width.")
    axes = [_TO_TFLITE[axis] for axis in axes] if rank == 4 else axes
    return _Function(lambda x: x.mean(axes, keepdim=keep))


class _Slopes(nn.Module):
    """A ReLU with a slope below zero for every channel."""

    def __init__(self, slopes: NDArray[Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(_tensor(slopes.reshape(-1)), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.weight)


def _prelu(constants: _Constants, operator: Operator) -> nn.Module:
    slopes = constants.get(operator, 1)
    if slopes.size != slopes.shape[-1]:
        raise Unsupported(f"operator {operator.index} (PRELU) has a slope for every place.")
    return _Slopes(slopes)


def _resize(constants: _Constants, operator: Operator) -> nn.Module:
    high, wide = constants.shape(operator.outputs[0])[1:3]
    corners, half = bool(operator.options["align_corners"]), bool(operator.options["half_pixel_centers"])
    if not corners and not half:
        raise Unsupported(f"operator {operator.index} (RESIZE_BILINEAR) is of TensorFlow 1's kind.")
    return _Function(lambda x: F.interpolate(x, (high, wide), mode="bilinear", align_corners=corners))


def _depth_to_space(constants: _Constants, operator: Operator) -> nn.Module:
    block, channels = int(operator.options["block"]), constants.shape(operator.outputs[0])[3]

    def spread(x: Tensor) -> Tensor:
        # TensorFlow counts places of a block before channels, torch channels before places.
        high, wide = int(x.shape[2]), int(x.shape[3])
        x = x.reshape(-1, block * block, channels, high * wide).transpose(1, 2)
        return F.pixel_shuffle(x.reshape(-1, channels * block * block, high, wide), block)

    return _Function(spread)


def _plain(function: Callable[[Tensor], Tensor]) -> Make:
    return lambda constants, operator: _Function(function)


_OPERATORS: dict[str, Make] = {
    "ADD": _binary(torch.add),
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "DEPTH_TO_SPACE": _depth_to_space,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _plain(F.hardswish),
    "LOGISTIC": _plain(torch.sigmoid),
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "MUL": _binary(torch.mul),
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": _plain(F.relu),
    "RELU6": _plain(F.relu6),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
    "SUB": _binary(torch.sub),
    "TANH": _plain(torch.tanh),
    _TRANSPOSED: _transposed_convolution,
}
