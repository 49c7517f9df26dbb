"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED for the C generator: folded biases, multipliers, packed weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.c.layouts import layout
from edgekit.exporters.c.layouts.dsp import Requantization
from edgekit.exporters.c.layouts.helium import Axis
from edgekit.exporters.c.layouts.layout import Convolution
from edgekit.exporters.c.lowering.layers import (
    Array,
    Layer,
    Lowering,
    clamp_of,
    int8,
    multiplier_of,
    refuse,
    scale_of,
    scales_of,
    title_of,
    zero_of,
)
from edgekit.formats.tflite import Operator, Tensor

#: The largest size that the layers' 16-bit members hold.
_MOST = 32767
_SAME = 0
#: The axis of the outputs in the weights.
_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


class Product(NamedTuple):
    """A product of a .tflite, checked.

    Attributes:
        place: index of the tensor `source`. shape: of a convolution. members: its sizes in C.
        multiplications: of one output value.
    """

    place: int
    source: Tensor
    output: Tensor
    weights: NDArray[Any]
    shape: Convolution | None
    members: dict[str, str]
    multiplications: int


def product_of(lowering: Lowering, operator: Operator, check: Callable[..., object]) -> Product:
    """What int8 and int16 activations have alike; `check` refuses the activations that have other types."""
    index, source = lowering.activation(operator, 0)
    weights = _weights(lowering, operator)
    output = lowering.tensors[operator.outputs[0]]
    check(lowering, operator, index, operator.outputs[0])
    if operator.name == "FULLY_CONNECTED":
        members = _row_sizes(lowering, operator, source, output, weights)
        return Product(index, source, output, weights, None, members, weights.shape[1])
    if operator.name == "CONV_2D":
        _check_groups(lowering, operator, source, weights)
        outputs, name = output.shape[3], "output_channels"
    else:
        outputs, name = _depth(lowering, operator, source, output, weights), "depth_multiplier"
    shape = _convolution(lowering, operator, source, output, weights.shape[1:3], outputs)
    members = {**_geometry(operator, shape), "input_channels": str(source.shape[3]), name: str(outputs)}
    multiplications = weights[0].size if operator.name == "CONV_2D" else shape.taps
    return Product(index, source, output, weights, shape, members, multiplications)


def product(lowering: Lowering, operator: Operator) -> None:
    made = product_of(lowering, operator, int8)
    others = tuple(axis for axis in range(made.weights.ndim) if axis != _AXES[operator.name])
    constants = _requantization(lowering, operator, made.source, made.weights.astype("int64").sum(others))
    if made.shape is None:
        packed = layout.fully_connected(lowering.layout, made.weights, constants)
    elif operator.name == "CONV_2D":
        saturates = clamp_of(lowering, operator, made.output) == (-128, 127)
        packed = layout.conv_2d(lowering.layout, made.weights, constants, made.shape, saturates)
    else:
        packed = layout.depthwise_conv_2d(lowering.layout, made.weights[0], constants, made.shape)
    _add(lowering, operator, made, packed, constants)


def _check_groups(lowering: Lowering, operator: Operator, source: Tensor, weights: NDArray[Any]) -> None:
    """Raise Unsupported for a convolution whose kernels see only some channels."""
    if len(source.shape) != 4 or weights.shape[3] != source.shape[3]:
        raise refuse(operator, lowering.tensors, "grouped convolutions are not built", "Export it without groups.")


def _depth(lowering: Lowering, operator: Operator, source: Tensor, output: Tensor, weights: NDArray[Any]) -> int:
    """The depth multiplier of a depthwise convolution, which follows from its shapes."""
    channels = source.shape[3] if len(source.shape) == 4 else 0
    if not channels or weights.shape[0] != 1 or weights.shape[3] % channels or weights.shape[3] != output.shape[3]:
        raise refuse(operator, lowering.tensors, f"weights {list(weights.shape)} for an input {list(source.shape)}")
    return int(weights.shape[3]) // channels


def _row_sizes(
    lowering: Lowering, operator: Operator, source: Tensor, output: Tensor, weights: NDArray[Any]
) -> dict[str, str]:
    """Sizes of a fully connected layer, as members in C."""
    if operator.options["weights_format"]:
        raise refuse(operator, lowering.tensors, "shuffled weights are not built")
    outputs, inputs = weights.shape
    rows = source.count // inputs
    if rows * inputs != source.count or rows * outputs != output.count:
        raise refuse(operator, lowering.tensors, f"{source.count} values do not make rows of {inputs}")
    return {"rows": str(rows), "inputs": str(inputs), "outputs": str(outputs)}


def _add(
    lowering: Lowering, operator: Operator, made: Product, packed: layout.Packed, constants: Requantization
) -> None:
    source, output = made.source, made.output
    low, high = clamp_of(lowering, operator, output)
    names = ("{bias}", "{multiplier}", "{shift}") if packed.requantization else ("NULL",) * 3
    members = {
        **made.members,
        "weights": "{weights}",
        "requantization": f"{{{{{', '.join(names)}, {zero_of(output)}, {low}, {high}}}}}",
    }
    if operator.name != "FULLY_CONNECTED":
        members["input_zero_point"] = str(zero_of(source))
    kinds = (("bias", "int32_t"), ("multiplier", "int32_t"), ("shift", "int8_t"))
    arrays = [Array(name, ctype, getattr(constants, name)) for name, ctype in kinds if packed.requantization]
    function = f"ek_{operator.name.lower()}"
    lowering.add(
        Layer(
            operator,
            title_of(operator, lowering.tensors, [made.place]) + kernel_title(made),
            (made.place,),
            operator.outputs,
            f"{function}(&{{layer}}, {{in0}}, {{scratch}}, {{out0}});",
            f"{function}_layer",
            members,
            (Array("weights", f"{packed.weights.dtype.name}_t", packed.weights), *arrays),
            packed.scratch,
            0 if packed.in_place else None,
            output.count * made.multiplications,
            packed.ways,
        )
    )


def kernel_title(made: Product) -> str:
    """The size of a convolution's kernel, for a comment in C; else ""."""
    return f", {made.shape.height.kernel}x{made.shape.width.kernel} kernel" if made.shape else ""


def _weights(lowering: Lowering, operator: Operator) -> NDArray[Any]:
    """The int8 weights, symmetric: what the kernels assume of them."""
    axis, rank = _AXES[operator.name], 2 if operator.name == "FULLY_CONNECTED" else 4
    weights = lowering.value(operator, 1, "weights")
    tensor = lowering.tensors[operator.inputs[1]]
    if tensor.dtype != "int8" or tensor.quantization is None or len(tensor.shape) != rank:
        raise refuse(operator, lowering.tensors, f"its weights are {tensor.dtype} of shape {list(tensor.shape)}")
    if any(tensor.quantization.zero_point):
        raise refuse(operator, lowering.tensors, "its weights have a zero point; symmetric ones are what is built")
    if len(tensor.quantization.scale) > 1 and tensor.quantization.axis != axis:
        raise refuse(operator, lowering.tensors, f"its weights have scales along axis {tensor.quantization.axis}")
    return weights


def multipliers_of(lowering: Lowering, operator: Operator, channels: int) -> list[tuple[int, int]]:
    """What brings sums to outputs, per channel: a multiplier of 32 bits and a shift."""
    source, weights, output = (lowering.tensors[i] for i in (*operator.inputs[:2], operator.outputs[0]))
    assert weights.quantization is not None
    product = [scale_of(source) * scale for scale in scales_of(weights.quantization, channels)]
    return [multiplier_of(value / scale_of(output)) for value in product]


def _requantization(lowering: Lowering, operator: Operator, source: Tensor, sums: NDArray[Any]) -> Requantization:
    """What brings accumulators to outputs; `sums` are the weights' sums per output channel."""
    channels = len(sums)
    bias = np.zeros(channels, np.int64)
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        held = lowering.value(operator, 2, "bias")
        if held.dtype != np.int32 or held.size != channels:
            raise refuse(operator, lowering.tensors, f"its bias is {held.dtype} of {held.size} values")
        bias = held.reshape(-1).astype(np.int64)
    # Accumulators wrap around as the reference's do.
    folded = (bias - zero_of(source) * sums).astype(np.uint64).astype(np.uint32).view(np.int32)
    pairs = multipliers_of(lowering, operator, channels)
    multipliers, shifts = ([pair[i] for pair in pairs] for i in (0, 1))
    return Requantization(folded, np.array(multipliers, np.int32), np.array(shifts, np.int8))


def _convolution(
    lowering: Lowering, operator: Operator, source: Tensor, output: Tensor, kernel: tuple[int, ...], outputs: int
) -> Convolution:
    """The shape, checked: the output must have the size that padding, strides and dilation give."""
    options = operator.options
    axes = []
    for i, side in enumerate(("height", "width")):
        stride, dilation = options[f"stride_{side}"], options.get(f"dilation_{side}", 1)
        if stride < 1 or dilation < 1:
            raise refuse(operator, lowering.tensors, f"a stride of {stride} or dilation of {dilation}")
        size = outputs_of(source.shape[1 + i], kernel[i], stride, dilation, options["padding"] == _SAME)
        if size != output.shape[1 + i]:
            raise refuse(operator, lowering.tensors, f"its output {side} {output.shape[1 + i]} is not what it computes")
        axes.append(Axis(source.shape[1 + i], size, kernel[i], stride, dilation))
    if max(*source.shape, *output.shape, *kernel) > _MOST:
        raise refuse(operator, lowering.tensors, f"a size is above {_MOST}")
    height, width = axes
    return Convolution(height, width, source.shape[3], outputs)


def _geometry(operator: Operator, shape: Convolution) -> dict[str, str]:
    """Sizes, strides, dilation and padding, as members in C."""
    same = operator.options["padding"] == _SAME
    axes = {"height": shape.height, "width": shape.width}
    members = {f"{name}_{side}": str(getattr(axis, name)) for name in Axis._fields for side, axis in axes.items()}
    pads = {"pad_top": shape.height, "pad_left": shape.width}
    return members | {
        name: str(pad_before(axis.input, axis.kernel, axis.stride, axis.dilation, same)) for name, axis in pads.items()
    }


def outputs_of(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    """Number of outputs along one axis."""
    reach = (kernel - 1) * dilation + 1
    return math.ceil(size / stride) if same else math.ceil((size - reach + 1) / stride)


def pad_before(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    """Padding before the first value along one axis; what is odd goes after the last (ComputePadding)."""
    reach = (kernel - 1) * dilation + 1
    return max((outputs_of(size, kernel, stride, dilation, same) - 1) * stride + reach - size, 0) // 2 if same else 0
