"""Pooling, MEAN, ADD, SUB, MUL, SOFTMAX and functions of one value for the C generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.c.lowering import fixed_point
from edgekit.exporters.c.lowering.layers import Array, Step, float32, multiplier_of, scale_of, zero_of
from edgekit.exporters.c.lowering.products import outputs_of, pad_before
from edgekit.formats.tflite import Tensor

_SAME = 0


def pool(step: Step) -> None:
    source, suffix = step.source, step.suffix()
    step.check_same_scale()
    if len(source.shape) != 4:
        raise step.refusal(f"an input of shape {list(source.shape)}")
    options, same = step.options, step.options["padding"] == _SAME
    fields: dict[str, object] = {"channels": source.shape[3]}
    for side, axis, pad in (("height", 1, "pad_top"), ("width", 2, "pad_left")):
        kernel, stride, size = options[f"filter_{side}"], options[f"stride_{side}"], step.output.shape[axis]
        fits = kernel >= 1 and stride >= 1 and outputs_of(source.shape[axis], kernel, stride, 1, same)
        if not fits or fits != size:
            raise step.refusal(f"its output {side} {size} is not what it computes")
        fields |= {
            f"input_{side}": source.shape[axis],
            f"output_{side}": size,
            f"kernel_{side}": kernel,
            f"stride_{side}": stride,
            pad: pad_before(source.shape[axis], kernel, stride, 1, same),
        }
    low, high = step.clamp()
    step.add(f"{step.name.lower()}{suffix}", "ek_pool_layer", {**fields, "low": low, "high": high})


def mean(step: Step) -> None:
    source, output, suffix = step.source, step.output, step.suffix()
    axes = sorted(int(axis) % len(source.shape) for axis in step.constant(1, "axes").reshape(-1))
    first, last = axes[0], axes[-1]
    if axes != list(range(first, last + 1)) or math.prod(source.shape[:first]) != 1:
        raise step.refusal(f"a mean over axes {axes}; over height and width is what is built")
    channels = math.prod(source.shape[last + 1 :])
    if channels != output.count:
        raise step.refusal(f"its output is {list(output.shape)}")
    positions = math.prod(source.shape[first : last + 1])
    multiplier, shift = multiplier_of(scale_of(source) / scale_of(output))
    # The division by the number of positions goes into the multiplier (QuantizedMeanOrSum of TensorFlow Lite).
    shared = min(positions.bit_length() - 1, 32, 31 + shift)
    fields = {
        "positions": positions,
        "channels": channels,
        "input_zero_point": zero_of(source),
        "output_zero_point": zero_of(output),
        "multiplier": (multiplier << shared) // positions,
        "shift": shift - shared,
    }
    step.add(f"mean{suffix}", "ek_mean_layer", fields)


def binary(step: Step) -> None:
    """ADD, SUB and MUL. A constant operand becomes a table in flash, read like an activation."""
    indices = [step.computed_input(i) for i in (0, 1)]
    a, b = (step.tensors[index] for index in indices)
    output, suffix = step.output, step.suffix(*indices, step.target)
    count, steps = _grid(step, a, b)
    if step.name == "MUL":
        scales = [(0, 0), (0, 0), multiplier_of(scale_of(a) * scale_of(b) / scale_of(output))]
    else:
        twice = 2 * max(scale_of(a), scale_of(b))
        result = twice / ((1 << (15 if suffix else 20)) * scale_of(output))
        if result >= 1:
            raise step.refusal(f"its output's scale {scale_of(output)} is too fine for its inputs")
        scales = [multiplier_of(scale_of(a) / twice), multiplier_of(scale_of(b) / twice), multiplier_of(result)]
    low, high = step.clamp()
    fields = {
        "count": _braces(count),
        "a": f"{{{{{-zero_of(a)}, {scales[0][0]}, {scales[0][1]}, {_braces(steps[0])}}}}}",
        "b": f"{{{{{-zero_of(b)}, {scales[1][0]}, {scales[1][1]}, {_braces(steps[1])}}}}}",
        "zero_point": zero_of(output),
        "multiplier": scales[2][0],
        "shift": scales[2][1],
        "low": low,
        "high": high,
    }
    arrays, names = [], []
    for name, tensor in zip("ab", (a, b), strict=True):
        if tensor.data is not None:
            arrays.append(Array(name, f"{tensor.dtype}_t", tensor.data))
            names.append(f"{{{name}}}")
        else:
            names.append(f"{{in{sum(text.startswith('{in') for text in names)}}}")
    computed = tuple(index for index in indices if step.tensors[index].data is None)
    step.add(
        f"{step.name.lower()}{suffix}",
        "ek_binary_layer",
        fields,
        arguments=f"&{{layer}}, {', '.join(names)}, {{out0}}",
        inputs=indices,
        computed=computed,
        arrays=tuple(arrays),
        overlay=next((i for i, k in enumerate(computed) if step.tensors[k].shape == output.shape), None),
    )


def softmax(step: Step) -> None:
    source, output = step.source, step.output
    step.check_int8()
    if zero_of(output) != -128 or abs(scale_of(output) - 1 / 256) > 1e-6:
        raise step.refusal("its output is not scaled by 1/256 from -128, as int8 softmax must be")
    integer_bits = 5
    beta = float32(step.options["beta"]) or 1.0
    real = min(beta * scale_of(source) * (1 << (31 - integer_bits)), float((1 << 31) - 1))
    multiplier, shift = multiplier_of(real)
    if real <= 1 or shift < 0:
        raise step.refusal(f"an input scale of {scale_of(source)} is too small for int8 softmax")
    radius = math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << shift))
    depth = source.shape[-1]
    fields = {"rows": source.count // depth, "depth": depth, "multiplier": multiplier, "shift": shift}
    step.add("softmax", "ek_softmax_layer", {**fields, "least_difference": -radius})


def unary(step: Step) -> None:
    """LOGISTIC, TANH, RELU, RELU6 and QUANTIZE from one byte to another: a table of 256 entries."""
    source, output = step.source, step.output
    for tensor in (source, output):
        if tensor.dtype not in ("int8", "uint8") or tensor.quantization is None or len(tensor.quantization.scale) != 1:
            raise step.refusal(f"{tensor.name!r} is {tensor.dtype}; only int8 is built")
    if step.name != "QUANTIZE":
        step.check_int8()
    if step.name.startswith("RELU6"):
        step.check_same_scale()
    table = Array("table", "uint8_t", _TABLES[step.name](source, output))
    step.add("lookup", arguments=f"{{table}}, {source.count}, {{in0}}, {{out0}}", arrays=(table,), overlay=0)


def _patterns(tensor: Tensor) -> NDArray[Any]:
    """The value of every pattern of eight bits, as int64."""
    return np.arange(256, dtype=np.uint8).view(tensor.dtype).astype(np.int64)


def _bytes(values: list[int], tensor: Tensor) -> NDArray[Any]:
    info = np.iinfo(tensor.dtype)
    return np.clip(values, info.min, info.max).astype(tensor.dtype).view(np.uint8)


def _logistic(source: Tensor, output: Tensor) -> NDArray[Any]:
    scaled = fixed_point.logistic_int8([int(v) for v in _patterns(source)], scale_of(source), zero_of(source))
    return _bytes(scaled, output)


def _tanh(source: Tensor, output: Tensor) -> NDArray[Any]:
    return _bytes(fixed_point.tanh_int8([int(v) for v in _patterns(source)], scale_of(source), zero_of(source)), output)


def _requantize(source: Tensor, output: Tensor, low: int = -(2**31), high: int = 2**31 - 1) -> NDArray[Any]:
    multiplier, shift = multiplier_of(scale_of(source) / scale_of(output))
    values = [
        zero_of(output) + fixed_point.scale(int(v) - zero_of(source), multiplier, shift) for v in _patterns(source)
    ]
    return _bytes([min(max(value, low), high) for value in values], output)


def _relu(source: Tensor, output: Tensor) -> NDArray[Any]:
    return _requantize(source, output, low=zero_of(output))


def _relu6(source: Tensor, output: Tensor) -> NDArray[Any]:
    six = zero_of(output) + math.floor(float32(6.0 / float32(scale_of(output))) + 0.5)
    return _requantize(source, output, low=zero_of(output), high=six)


_TABLES: dict[str, Callable[[Tensor, Tensor], NDArray[Any]]] = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "RELU": _relu,
    "RELU6": _relu6,
    "QUANTIZE": _requantize,
}


def _grid(step: Step, a: Tensor, b: Tensor) -> tuple[list[int], list[list[int]]]:
    """Counts along the output's (up to four) axes, and each operand's steps; one axis where nothing is broadcast."""
    output = step.output
    if a.shape == b.shape == output.shape:
        return [1, 1, 1, output.count], [[0, 0, 0, 1], [0, 0, 0, 1]]
    if len(output.shape) > 4:
        raise step.refusal("broadcasting over more than four axes is not built")
    count = [1] * (4 - len(output.shape)) + list(output.shape)
    steps = []
    for tensor in (a, b):
        shape = [1] * (4 - len(tensor.shape)) + list(tensor.shape)
        stride = [math.prod(shape[i + 1 :]) if shape[i] > 1 else 0 for i in range(4)]
        if any(size not in (1, whole) for size, whole in zip(shape, count, strict=True)):
            raise step.refusal(f"{list(tensor.shape)} does not broadcast to {list(output.shape)}")
        steps.append(stride)
    return count, steps


def _braces(values: list[int]) -> str:
    """A C initialiser; doubled braces, since the text is formatted once more."""
    return "{{" + ", ".join(map(str, values)) + "}}"
