"""int16 activations with int8 weights (TensorFlow Lite's 16x8 mode) for the C generator, where they compute otherwise.

Products, SOFTMAX and functions of one value; what is the same but for a constant is translated with int8. Everything is
symmetric: every zero point of an int16 tensor is 0. Source: TensorFlow Lite Micro's reference kernels (conv.cc,
fully_connected.cc, softmax_common.cc, logistic_common.cc, tanh.cc, quantize_common.cc, activations_common.cc).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from edgekit.common.lazy import np
from edgekit.exporters.c.lowering import moves
from edgekit.exporters.c.lowering.elementwise import same_scale
from edgekit.exporters.c.lowering.int16_tables import exponential, reciprocal
from edgekit.exporters.c.lowering.layers import (
    SIZES,
    Array,
    Layer,
    Lowering,
    clamp_of,
    float32,
    multiplier_of,
    refuse,
    scale_of,
    suffix_of,
    symmetric,
    title_of,
    zero_of,
)
from edgekit.exporters.c.lowering.products import kernel_title, multipliers_of, product_of
from edgekit.formats.tflite import Operator, Tensor

#: The specification's int64 accumulators are promised to stay within 48 bits, and its shifts to be at most 7.
_WIDE_BITS, _MOST_SHIFT = 47, 7
_RESCALES = {
    ("int16", "int16"): "rescale_s16",
    ("int8", "int16"): "rescale_s8_to_s16",
    ("int16", "int8"): "rescale_s16_to_s8",
}
#: Its arguments of LOGISTIC and TANH come in steps of 1 / (3 * 4096), and its multipliers in 15 bits.
_STEPS, _MOST_MULTIPLIER = 3 * 4096, 32767


def product(lowering: Lowering, operator: Operator) -> None:
    made = product_of(lowering, operator, suffix_of)
    output, shape = made.output, made.shape
    scratch: int | None = None  # the kernel takes no such argument
    if shape is not None and operator.name == "CONV_2D":
        scratch = 0 if shape.taps == 1 and shape.strides == (1, 1) else 2 * shape.taps * made.source.shape[3]
    channels = made.weights.shape[3 if operator.name == "DEPTHWISE_CONV_2D" else 0]
    bias, wide = _bias(lowering, operator, channels)
    multipliers = _multipliers(lowering, operator, channels, wide)
    low, high = clamp_of(lowering, operator, output)
    narrow = "NULL" if wide else "{bias}"
    held = {"requantization": f"{{{{{narrow}, {{multiplier}}, {{shift}}, 0, {low}, {high}}}}}"}
    function = f"ek_{operator.name.lower()}"
    arguments = ["{in0}", *(["{scratch}"] if scratch is not None else []), "{out0}"]
    lowering.add(
        Layer(
            operator,
            title_of(operator, lowering.tensors, [made.place], "int16") + kernel_title(made),
            (made.place,),
            operator.outputs,
            f"{function}_s16(&{{layer}}, {'{bias}' if wide else 'NULL'}, {', '.join(arguments)});",
            f"{function}_layer",
            {**made.members, "weights": "{weights}", **held},
            (Array("weights", "int8_t", made.weights.reshape(-1)), bias, *multipliers),
            scratch or 0,
            macs=output.count * made.multiplications,
        )
    )


def _bias(lowering: Lowering, operator: Operator, channels: int) -> tuple[Array, bool]:
    """The bias, and whether it is int64, which decides how sums are kept and scaled."""
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return Array("bias", "int64_t", np.zeros(channels, np.int64)), True
    held = lowering.value(operator, 2, "bias").reshape(-1)
    if held.size != channels or held.dtype not in (np.int32, np.int64):
        raise refuse(operator, lowering.tensors, f"its bias is {held.dtype} of {held.size} values")
    if depthwise and held.dtype != np.int64:
        raise refuse(operator, lowering.tensors, f"its bias is {held.dtype}; beside int16 activations it must be int64")
    if not ((held >= -(1 << _WIDE_BITS)) & (held < 1 << _WIDE_BITS)).all():
        raise refuse(operator, lowering.tensors, f"its bias has values that {_WIDE_BITS + 1} bits do not hold")
    return Array("bias", f"{held.dtype.name}_t", held), held.dtype == np.int64


def _multipliers(lowering: Lowering, operator: Operator, channels: int, wide: bool) -> tuple[Array, Array]:
    """What brings sums to outputs, per channel; beside int64 sums, multipliers have 16 bits."""
    pairs = multipliers_of(lowering, operator, channels)
    if wide:
        if max(shift for _, shift in pairs) > _MOST_SHIFT:
            output = lowering.tensors[operator.outputs[0]]
            why = f"its output's scale {scale_of(output)} is more than {1 << _MOST_SHIFT} times finer than its products"
            raise refuse(operator, lowering.tensors, why)
        pairs = [(min((multiplier + (1 << 15)) >> 16, 0x7FFF), shift) for multiplier, shift in pairs]
    multipliers, shifts = ([pair[i] for pair in pairs] for i in (0, 1))
    return (
        Array("multiplier", "int32_t", np.array(multipliers, np.int32)),
        Array("shift", "int8_t", np.array(shifts, np.int8)),
    )


def softmax(lowering: Lowering, operator: Operator) -> None:
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    suffix_of(lowering, operator, index, operator.outputs[0])
    if abs(scale_of(output) * 32768 - 1) > 0.001:
        raise refuse(operator, lowering.tensors, "its output is not scaled by 1/32768, as int16 softmax must be")
    beta = float32(operator.options["beta"]) or 1.0
    multiplier, shift = multiplier_of(scale_of(source) * beta / (10.0 / 65535.0))
    depth = source.shape[-1]
    members = {
        "rows": str(source.count // depth),
        "depth": str(depth),
        "multiplier": str(multiplier),
        "shift": str(shift),
    }
    arrays = (Array("exponential", "int16_t", exponential()), Array("reciprocal", "int16_t", reciprocal()))
    title = title_of(operator, lowering.tensors, [index], "int16")
    call = "ek_softmax_s16(&{layer}, {exponential}, {reciprocal}, {in0}, {out0});"
    lowering.add(
        Layer(operator, title, (index,), operator.outputs, call, "ek_softmax_layer", members, arrays, overlay=0)
    )


def sigmoid(lowering: Lowering, operator: Operator) -> None:
    """LOGISTIC and TANH."""
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    suffix_of(lowering, operator, index, operator.outputs[0])
    if _power_of_two(scale_of(output)) != -15:
        raise refuse(operator, lowering.tensors, "its output is not scaled by 1/32768, as for int16 it must be")
    multiplier, shift = _argument(operator, scale_of(source))
    if multiplier > _MOST_MULTIPLIER:
        raise refuse(operator, lowering.tensors, f"an input scale of {scale_of(source)} is too large")
    lowering.add(
        Layer(
            operator,
            title_of(operator, lowering.tensors, [index], "int16"),
            (index,),
            operator.outputs,
            f"ek_{operator.name.lower()}_s16({multiplier}, {shift}, {source.count}, {{in0}}, {{out0}});",
            overlay=0,
        )
    )


def _argument(operator: Operator, scale: float) -> tuple[int, int]:
    """Multiplier and right shift that bring values of this scale to steps of 1 / 12288."""
    exponent = _power_of_two(scale)
    if exponent == -12 or (exponent == -11 and operator.name == "TANH"):
        return 3 << (exponent + 12), 0
    multiplier, shift = scale * _STEPS, 0
    while multiplier <= _MOST_MULTIPLIER / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return int(multiplier), shift


def _power_of_two(scale: float) -> int | None:
    """The exponent, where the scale's logarithm is within 0.001 of an integer (CheckedLog2)."""
    exponent = math.log2(scale)
    return round(exponent) if abs(exponent - round(exponent)) < 1e-3 else None


def relu(lowering: Lowering, operator: Operator) -> None:
    """RELU, which may change the scale, and RELU6, which clamps the values as they are."""
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    suffix_of(lowering, operator, index, operator.outputs[0])
    high = 32767
    if operator.name == "RELU6":
        same_scale(lowering, operator, source, output)
        high = math.floor(float32(min(6.0 / scale_of(source), high)) + 0.5)
    _rescale(lowering, operator, "rescale_s16", 0, high)


def quantize(lowering: Lowering, operator: Operator) -> None:
    """From float32, from int8, to int8, or to another scale."""
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    if source.dtype == "float32":
        moves.quantize(lowering, operator)
        return
    kernel = _RESCALES.get((source.dtype, output.dtype))
    if kernel is None:
        raise refuse(operator, lowering.tensors, f"from {source.dtype} to {output.dtype} is not built")
    for at, tensor in ((index, source), (operator.outputs[0], output)):
        if tensor.dtype == "int16":
            symmetric(lowering, operator, tensor)
        else:
            suffix_of(lowering, operator, at)
    low, high = (-128, 127) if output.dtype == "int8" else (-32768, 32767)
    _rescale(lowering, operator, kernel, low, high)


def _rescale(lowering: Lowering, operator: Operator, kernel: str, low: int, high: int) -> None:
    """A layer that brings each value to the output's scale and clamps it; in place, unless values grow."""
    source, output = (lowering.tensors[i] for i in (operator.inputs[0], operator.outputs[0]))
    multiplier, shift = multiplier_of(scale_of(source) / scale_of(output))
    members = {
        "count": str(source.count),
        "input_zero_point": str(zero_of(source)),
        "zero_point": str(zero_of(output)),
        "multiplier": str(multiplier),
        "shift": str(shift),
        "low": str(low),
        "high": str(high),
    }
    title = title_of(operator, lowering.tensors, operator.inputs[:1], f"{source.dtype} to {output.dtype}")
    call = f"ek_{kernel}(&{{layer}}, {{in0}}, {{out0}});"
    overlay = 0 if _bytes(source) >= _bytes(output) else None
    lowering.add(
        Layer(
            operator, title, operator.inputs[:1], operator.outputs, call, "ek_rescale_layer", members, overlay=overlay
        )
    )


def _bytes(tensor: Tensor) -> int:
    return SIZES[tensor.dtype]


#: Operators whose translation for int16 activations is here.
OPERATORS: Mapping[str, Callable[[Lowering, Operator], None]] = {
    "CONV_2D": product,
    "DEPTHWISE_CONV_2D": product,
    "FULLY_CONNECTED": product,
    "LOGISTIC": sigmoid,
    "QUANTIZE": quantize,
    "RELU": relu,
    "RELU6": relu,
    "SOFTMAX": softmax,
    "TANH": sigmoid,
}
