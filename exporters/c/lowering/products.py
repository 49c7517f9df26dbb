"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED for the C generator: folded biases, multipliers, packed weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.c.layouts import layout
from edgekit.exporters.c.layouts.convolution import Axis, Convolution
from edgekit.exporters.c.layouts.requantize import Requantization
from edgekit.exporters.c.lowering.layers import Array, Step, multiplier_of, scale_of, scales_of, zero_of
from edgekit.formats.tflite import Operator

#: The largest size that the layers' 16-bit members hold.
_MOST = 32767
_SAME = 0
#: The axis of the outputs in the weights.
_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


class Product(NamedTuple):
    """A product of a .tflite, checked.

    Attributes:
        shape: of a convolution. fields: its sizes in C. multiplications: of one output value.
    """

    weights: NDArray[Any]
    shape: Convolution | None
    fields: dict[str, object]
    multiplications: int


def product_of(step: Step, check: Callable[[], object]) -> Product:
    """What int8 and int16 activations have alike; `check` refuses the activations that have other types."""
    source, weights = step.source, _weights(step)
    check()
    if step.name == "FULLY_CONNECTED":
        return Product(weights, None, _row_sizes(step, weights), weights.shape[1])
    if step.name == "CONV_2D":
        _check_groups(step, weights)
        outputs, name = step.output.shape[3], "output_channels"
    else:
        outputs, name = _depth(step, weights), "depth_multiplier"
    shape = _convolution(step, weights.shape[1:3], outputs)
    fields = {**_geometry(step.operator, shape), "input_channels": source.shape[3], name: outputs}
    return Product(weights, shape, fields, weights[0].size if step.name == "CONV_2D" else shape.taps)


def product(step: Step) -> None:
    made = product_of(step, step.check_int8)
    others = tuple(axis for axis in range(made.weights.ndim) if axis != _AXES[step.name])
    constants = _requantization(step, made.weights.astype("int64").sum(others))
    low, high = step.clamp()
    if made.shape is None:
        packed = layout.fully_connected(step.lowering.layout, made.weights, constants)
    elif step.name == "CONV_2D":
        saturates = (low, high) == (-128, 127)
        packed = layout.conv_2d(step.lowering.layout, made.weights, constants, made.shape, saturates)
    else:
        packed = layout.depthwise_conv_2d(step.lowering.layout, made.weights[0], constants, made.shape)
    kinds = {"bias": "int32_t", "multiplier": "int32_t", "shift": "int8_t"} if packed.requantization else {}
    names = ", ".join(f"{{{name}}}" for name in kinds) or "NULL, NULL, NULL"
    requantization = f"{{{{{names}, {zero_of(step.output)}, {low}, {high}}}}}"
    fields = {**made.fields, "weights": "{weights}", "requantization": requantization}
    if made.shape is not None:
        fields["input_zero_point"] = zero_of(step.source)
    name = step.name.lower()
    step.add(
        name,
        f"ek_{name}_layer",
        fields,
        arguments="&{layer}, {in0}, {scratch}, {out0}",
        note=kernel_note(made).removeprefix(", "),
        arrays=(
            Array("weights", f"{packed.weights.dtype.name}_t", packed.weights),
            *(Array(kind, ctype, getattr(constants, kind)) for kind, ctype in kinds.items()),
        ),
        scratch=packed.scratch,
        overlay=0 if packed.in_place else None,
        macs=step.output.count * made.multiplications,
        ways=packed.ways,
    )


def kernel_note(made: Product) -> str:
    """The size of a convolution's kernel, for a comment in C; else ""."""
    return f", {made.shape.height.kernel}x{made.shape.width.kernel} kernel" if made.shape else ""


def _check_groups(step: Step, weights: NDArray[Any]) -> None:
    """Raise Unsupported for a convolution whose kernels see only some channels."""
    if len(step.source.shape) != 4 or weights.shape[3] != step.source.shape[3]:
        raise step.refusal("grouped convolutions are not built", "Export it without groups.")


def _depth(step: Step, weights: NDArray[Any]) -> int:
    """The depth multiplier of a depthwise convolution, which follows from its shapes."""
    shape, outputs = step.source.shape, step.output.shape[3]
    channels = shape[3] if len(shape) == 4 else 0
    if not channels or weights.shape[0] != 1 or weights.shape[3] % channels or weights.shape[3] != outputs:
        raise step.refusal(f"weights {list(weights.shape)} for an input {list(shape)}")
    return int(weights.shape[3]) // channels


def _row_sizes(step: Step, weights: NDArray[Any]) -> dict[str, object]:
    """Sizes of a fully connected layer, as members in C."""
    if step.options["weights_format"]:
        raise step.refusal("shuffled weights are not built")
    outputs, inputs = weights.shape
    count = step.source.count
    rows = count // inputs
    if rows * inputs != count or rows * outputs != step.output.count:
        raise step.refusal(f"{count} values do not make rows of {inputs}")
    return {"rows": rows, "inputs": inputs, "outputs": outputs}


def _weights(step: Step) -> NDArray[Any]:
    """The int8 weights, symmetric: what the kernels assume of them."""
    axis, rank = _AXES[step.name], 2 if step.name == "FULLY_CONNECTED" else 4
    weights = step.constant(1, "weights")
    tensor = step.tensors[step.operator.inputs[1]]
    if tensor.dtype != "int8" or tensor.quantization is None or len(tensor.shape) != rank:
        raise step.refusal(f"its weights are {tensor.dtype} of shape {list(tensor.shape)}")
    if any(tensor.quantization.zero_point):
        raise step.refusal("its weights have a zero point; symmetric ones are what is built")
    if len(tensor.quantization.scale) > 1 and tensor.quantization.axis != axis:
        raise step.refusal(f"its weights have scales along axis {tensor.quantization.axis}")
    return weights


def multipliers_of(step: Step, channels: int) -> list[tuple[int, int]]:
    """What brings sums to outputs, per channel: a multiplier of 32 bits and a shift."""
    source, weights, output = (step.tensors[i] for i in (*step.operator.inputs[:2], step.target))
    assert weights.quantization is not None
    product = [scale_of(source) * scale for scale in scales_of(weights.quantization, channels)]
    return [multiplier_of(value / scale_of(output)) for value in product]


def _requantization(step: Step, sums: NDArray[Any]) -> Requantization:
    """What brings accumulators to outputs; `sums` are the weights' sums per output channel."""
    channels = len(sums)
    bias = np.zeros(channels, np.int64)
    if len(step.operator.inputs) > 2 and step.operator.inputs[2] >= 0:
        held = step.constant(2, "bias")
        if held.dtype != np.int32 or held.size != channels:
            raise step.refusal(f"its bias is {held.dtype} of {held.size} values")
        bias = held.reshape(-1).astype(np.int64)
    # Accumulators wrap around as the reference's do.
    folded = (bias - zero_of(step.source) * sums).astype(np.uint64).astype(np.uint32).view(np.int32)
    pairs = multipliers_of(step, channels)
    multipliers, shifts = ([pair[i] for pair in pairs] for i in (0, 1))
    return Requantization(folded, np.array(multipliers, np.int32), np.array(shifts, np.int8))


def _convolution(step: Step, kernel: tuple[int, ...], outputs: int) -> Convolution:
    """The shape, checked: the output must have the size that padding, strides and dilation give."""
    source, output, options = step.source, step.output, step.options
    axes = []
    for i, side in enumerate(("height", "width")):
        stride, dilation = options[f"stride_{side}"], options.get(f"dilation_{side}", 1)
        if stride < 1 or dilation < 1:
            raise step.refusal(f"a stride of {stride} or dilation of {dilation}")
        size = outputs_of(source.shape[1 + i], kernel[i], stride, dilation, options["padding"] == _SAME)
        if size != output.shape[1 + i]:
            raise step.refusal(f"its output {side} {output.shape[1 + i]} is not what it computes")
        axes.append(Axis(source.shape[1 + i], size, kernel[i], stride, dilation))
    if max(*source.shape, *output.shape, *kernel) > _MOST:
        raise step.refusal(f"a size is above {_MOST}")
    height, width = axes
    return Convolution(height, width, source.shape[3], outputs)


def _geometry(operator: Operator, shape: Convolution) -> dict[str, object]:
    """Sizes, strides, dilation and padding, as members in C."""
    same = operator.options["padding"] == _SAME
    axes = {"height": shape.height, "width": shape.width}
    fields = {f"{name}_{side}": getattr(axis, name) for name in Axis._fields for side, axis in axes.items()}
    for name, axis in (("pad_top", shape.height), ("pad_left", shape.width)):
        fields[name] = pad_before(axis.input, axis.kernel, axis.stride, axis.dilation, same)
    return fields


def outputs_of(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    """Number of outputs along one axis."""
    reach = (kernel - 1) * dilation + 1
    return math.ceil(size / stride) if same else math.ceil((size - reach + 1) / stride)


def pad_before(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    """Padding before the first value along one axis; what is odd goes after the last (ComputePadding)."""
    reach = (kernel - 1) * dilation + 1
    return max((outputs_of(size, kernel, stride, dilation, same) - 1) * stride + reach - size, 0) // 2 if same else 0
