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
from edgekit.exporters.c.lowering.int16_tables import exponential, reciprocal
from edgekit.exporters.c.lowering.layers import SIZES, Array, Step, float32, multiplier_of, scale_of, zero_of
from edgekit.exporters.c.lowering.products import kernel_note, multipliers_of, product_of

#: The specification's int64 accumulators are promised to stay within 48 bits, and its shifts to be at most 7.
_WIDE_BITS, _MOST_SHIFT = 47, 7
_RESCALES = {
    ("int16", "int16"): "rescale_s16",
    ("int8", "int16"): "rescale_s8_to_s16",
    ("int16", "int8"): "rescale_s16_to_s8",
}
#: Its arguments of LOGISTIC and TANH come in steps of 1 / (3 * 4096), and its multipliers in 15 bits.
_STEPS, _MOST_MULTIPLIER = 3 * 4096, 32767


def product(step: Step) -> None:
    made = product_of(step, step.suffix)
    shape = made.shape
    scratch: int | None = None  # the kernel takes no such argument
    if shape is not None and step.name == "CONV_2D":
        scratch = 0 if shape.taps == 1 and shape.strides == (1, 1) else 2 * shape.taps * step.source.shape[3]
    channels = made.weights.shape[3 if step.name == "DEPTHWISE_CONV_2D" else 0]
    bias, wide = _bias(step, channels)
    multipliers = _multipliers(step, channels, wide)
    low, high = step.clamp()
    narrow = "NULL" if wide else "{bias}"
    requantization = f"{{{{{narrow}, {{multiplier}}, {{shift}}, 0, {low}, {high}}}}}"
    memory = "" if scratch is None else "{scratch}, "
    name = step.name.lower()
    step.add(
        f"{name}_s16",
        f"ek_{name}_layer",
        {**made.fields, "weights": "{weights}", "requantization": requantization},
        arguments=f"&{{layer}}, {'{bias}' if wide else 'NULL'}, {{in0}}, {memory}{{out0}}",
        note=f"int16{kernel_note(made)}",
        arrays=(Array("weights", "int8_t", made.weights.reshape(-1)), bias, *multipliers),
        scratch=scratch or 0,
        macs=step.output.count * made.multiplications,
    )


def _bias(step: Step, channels: int) -> tuple[Array, bool]:
    """The bias, and whether it is int64, which decides how sums are kept and scaled."""
    if len(step.operator.inputs) < 3 or step.operator.inputs[2] < 0:
        return Array("bias", "int64_t", np.zeros(channels, np.int64)), True
    held = step.constant(2, "bias").reshape(-1)
    if held.size != channels or held.dtype not in (np.int32, np.int64):
        raise step.refusal(f"its bias is {held.dtype} of {held.size} values")
    if step.name == "DEPTHWISE_CONV_2D" and held.dtype != np.int64:
        raise step.refusal(f"its bias is {held.dtype}; beside int16 activations it must be int64")
    if not ((held >= -(1 << _WIDE_BITS)) & (held < 1 << _WIDE_BITS)).all():
        raise step.refusal(f"its bias has values that {_WIDE_BITS + 1} bits do not hold")
    return Array("bias", f"{held.dtype.name}_t", held), held.dtype == np.int64


def _multipliers(step: Step, channels: int, wide: bool) -> tuple[Array, Array]:
    """What brings sums to outputs, per channel; beside int64 sums, multipliers have 16 bits."""
    pairs = multipliers_of(step, channels)
    if wide:
        if max(shift for _, shift in pairs) > _MOST_SHIFT:
            finer = f"more than {1 << _MOST_SHIFT} times finer than its products"
            raise step.refusal(f"its output's scale {scale_of(step.output)} is {finer}")
        pairs = [(min((multiplier + (1 << 15)) >> 16, 0x7FFF), shift) for multiplier, shift in pairs]
    multipliers, shifts = ([pair[i] for pair in pairs] for i in (0, 1))
    return (
        Array("multiplier", "int32_t", np.array(multipliers, np.int32)),
        Array("shift", "int8_t", np.array(shifts, np.int8)),
    )


def softmax(step: Step) -> None:
    source = step.source
    step.suffix()
    if abs(scale_of(step.output) * 32768 - 1) > 0.001:
        raise step.refusal("its output is not scaled by 1/32768, as int16 softmax must be")
    beta = float32(step.options["beta"]) or 1.0
    multiplier, shift = multiplier_of(scale_of(source) * beta / (10.0 / 65535.0))
    depth = source.shape[-1]
    step.add(
        "softmax_s16",
        "ek_softmax_layer",
        {"rows": source.count // depth, "depth": depth, "multiplier": multiplier, "shift": shift},
        arguments="&{layer}, {exponential}, {reciprocal}, {in0}, {out0}",
        note="int16",
        arrays=(Array("exponential", "int16_t", exponential()), Array("reciprocal", "int16_t", reciprocal())),
        overlay=0,
    )


def sigmoid(step: Step) -> None:
    """LOGISTIC and TANH."""
    source = step.source
    step.suffix()
    if _power_of_two(scale_of(step.output)) != -15:
        raise step.refusal("its output is not scaled by 1/32768, as for int16 it must be")
    multiplier, shift = _argument(step.name, scale_of(source))
    if multiplier > _MOST_MULTIPLIER:
        raise step.refusal(f"an input scale of {scale_of(source)} is too large")
    arguments = f"{multiplier}, {shift}, {source.count}, {{in0}}, {{out0}}"
    step.add(f"{step.name.lower()}_s16", arguments=arguments, note="int16", overlay=0)


def _argument(name: str, scale: float) -> tuple[int, int]:
    """Multiplier and right shift that bring values of this scale to steps of 1 / 12288."""
    exponent = _power_of_two(scale)
    if exponent == -12 or (exponent == -11 and name == "TANH"):
        return 3 << (exponent + 12), 0
    multiplier, shift = scale * _STEPS, 0
    while multiplier <= _MOST_MULTIPLIER / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return int(multiplier), shift


def _power_of_two(scale: float) -> int | None:
    """The exponent, where the scale's logarithm is within 0.001 of an integer (CheckedLog2)."""
    exponent = math.log2(scale)
    return round(exponent) if abs(exponent - round(exponent)) < 1e-3 else None


def relu(step: Step) -> None:
    """RELU, which may change the scale, and RELU6, which clamps the values as they are."""
    source, high = step.source, 32767
    step.suffix()
    if step.name == "RELU6":
        step.check_same_scale()
        high = math.floor(float32(min(6.0 / scale_of(source), high)) + 0.5)
    _rescale(step, "rescale_s16", 0, high)


def quantize(step: Step) -> None:
    """From float32, from int8, to int8, or to another scale."""
    source, output = step.source, step.output
    if source.dtype == "float32":
        moves.quantize(step)
        return
    kernel = _RESCALES.get((source.dtype, output.dtype))
    if kernel is None:
        raise step.refusal(f"from {source.dtype} to {output.dtype} is not built")
    for index in (step.computed_input(0), step.target):
        step.suffix(index)
    low, high = (-128, 127) if output.dtype == "int8" else (-32768, 32767)
    _rescale(step, kernel, low, high)


def _rescale(step: Step, kernel: str, low: int, high: int) -> None:
    """A layer that brings each value to the output's scale and clamps it; in place, unless values grow."""
    source, output = step.source, step.output
    multiplier, shift = multiplier_of(scale_of(source) / scale_of(output))
    fields = {
        "count": source.count,
        "input_zero_point": zero_of(source),
        "zero_point": zero_of(output),
        "multiplier": multiplier,
        "shift": shift,
        "low": low,
        "high": high,
    }
    overlay = 0 if SIZES[source.dtype] >= SIZES[output.dtype] else None
    step.add(kernel, "ek_rescale_layer", fields, note=f"{source.dtype} to {output.dtype}", overlay=overlay)


#: Operators whose translation for int16 activations is here.
OPERATORS: Mapping[str, Callable[[Step], None]] = {
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
