"""Channels that no input can change, and channels that nothing reads, taken out of an int8 network; every output stays.

Quantized networks hold many: a channel whose weights were regularised away has a scale near zero, and its output is one
value whatever the input. Interval arithmetic over int8 proves it, channel by channel, with the network's own rounding:
the accumulator's least and greatest value, then the requantization, which is monotone. A constant channel goes into its
readers' biases; what only such channels needed goes too. What remains is computed as before, so outputs are equal bit
for bit (compared like any other export).

Followed: CONV_2D, DEPTHWISE_CONV_2D (one output a channel), FULLY_CONNECTED, pools, RESHAPE that keeps the last axis.
Any other operator needs all channels of its inputs, and may put out anything.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.c.lowering.fixed_point import scale
from edgekit.exporters.c.lowering.layers import float32, multiplier_of, scale_of, scales_of, zero_of
from edgekit.formats.tflite import Graph, Operator, Quantization, Subgraph, Tensor

#: Channels are kept up to a multiple of this, which kernels compute fastest.
_MULTIPLE = 4
_ALONG = {"DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE"}
_PRODUCTS = {"CONV_2D", "FULLY_CONNECTED"}
_SAME = 0


def prune(graph: Graph) -> Graph:
    """`graph`, with fewer channels where that changes no output; itself if there is nothing to take out."""
    main = graph.subgraphs[0]
    ranges = _ranges(main)
    kept = _kept_channels(main, ranges)
    if all(len(channels) == main.tensors[index].shape[-1] for index, channels in kept.items()):
        return graph
    return replace(graph, subgraphs=(_rebuilt(main, ranges, kept), *graph.subgraphs[1:]))


def _ranges(main: Subgraph) -> dict[int, NDArray[Any]]:
    """Tensor -> least and greatest value of each channel, int64 [2, channels]."""
    ranges: dict[int, NDArray[Any]] = {}

    def of(index: int) -> NDArray[Any]:
        return ranges.get(index, _anything(main.tensors[index]))

    for operator in main.operators:
        if not _is_followed(main, operator):
            continue
        source, target = operator.inputs[0], operator.outputs[0]
        if operator.name in _PRODUCTS or operator.name == "DEPTHWISE_CONV_2D":
            ranges[target] = _product_range(main, operator, of(source))
        elif "POOL" not in operator.name or operator.options["activation"] == 0:
            ranges[target] = of(source)
    return ranges


def _anything(tensor: Tensor) -> NDArray[Any]:
    return np.repeat([[-128], [127]], tensor.shape[-1] if tensor.shape else 1, axis=1)


def _is_followed(main: Subgraph, operator: Operator) -> bool:
    """Whether the operator is on int8 and its channels are understood."""
    if operator.name not in _PRODUCTS | _ALONG:
        return False
    tensors = [main.tensors[index] for index in (operator.inputs[0], operator.outputs[0])]
    source, target = tensors
    if any(tensor.dtype != "int8" or tensor.quantization is None or not tensor.shape for tensor in tensors):
        return False
    if operator.name in _PRODUCTS or operator.name == "DEPTHWISE_CONV_2D":
        constants = [main.tensors[index] for index in operator.inputs[1:] if index >= 0]
        if any(tensor.data is None for tensor in constants) or constants[0].quantization is None:
            return False
    if operator.options.get("activation", 0) not in (0, 1, 3):
        return False
    if operator.name == "FULLY_CONNECTED":
        shape = main.tensors[operator.inputs[1]].shape
        return shape == (target.shape[-1], source.shape[-1])
    if operator.name == "RESHAPE":
        return source.shape[-1] == target.shape[-1] and source.quantization == target.quantization
    if operator.name in _ALONG:
        return source.shape[-1] == target.shape[-1]
    return main.tensors[operator.inputs[1]].shape[-1] == source.shape[-1]


def _weights(main: Subgraph, operator: Operator) -> NDArray[Any]:
    """int64 [outputs, taps, inputs]; a depthwise convolution has one input."""
    data = main.tensors[operator.inputs[1]].data
    assert data is not None
    values = data.astype(np.int64)
    if operator.name == "DEPTHWISE_CONV_2D":
        return values.reshape(-1, values.shape[-1]).T[:, :, None]
    return values.reshape(values.shape[0], -1, values.shape[-1])


def _bias(main: Subgraph, operator: Operator, outputs: int) -> NDArray[Any]:
    index = operator.inputs[2] if len(operator.inputs) > 2 else -1
    data = main.tensors[index].data if index >= 0 else None
    return np.zeros(outputs, np.int64) if data is None else data.reshape(-1).astype(np.int64)


def _is_padded(operator: Operator, main: Subgraph) -> bool:
    """Whether some taps may lie outside of the input."""
    shape = main.tensors[operator.inputs[1]].shape
    return operator.name != "FULLY_CONNECTED" and operator.options["padding"] == _SAME and shape[1:3] != (1, 1)


def _product_range(main: Subgraph, operator: Operator, source: NDArray[Any]) -> NDArray[Any]:
    tensor, target = (main.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    weights, zero = _weights(main, operator), zero_of(tensor)
    values = source - zero
    if _is_padded(operator, main):
        values = np.stack([np.minimum(values[0], 0), np.maximum(values[1], 0)])
    if operator.name == "DEPTHWISE_CONV_2D":
        products = weights[None] * values[:, :, None, None]
    else:
        products = weights[None] * values[:, None, None, :]
    bias = _bias(main, operator, len(weights))
    least, most = (bias + extreme(products, axis=0).sum((1, 2)) for extreme in (np.min, np.max))
    return _requantize_range(main, operator, tensor, target, least, most)


def _requantize_range(
    main: Subgraph, operator: Operator, source: Tensor, target: Tensor, least: NDArray[Any], most: NDArray[Any]
) -> NDArray[Any]:
    quantization = main.tensors[operator.inputs[1]].quantization
    assert quantization is not None
    result = _anything(target)
    limit = 2**31
    for c, factor in enumerate(scales_of(quantization, len(least))):
        multiplier, shift = multiplier_of(scale_of(source) * factor / scale_of(target))
        ends = [int(least[c]), int(most[c])]
        if any(not -limit <= end << max(shift, 0) < limit for end in ends):
            continue  # it might wrap around
        result[:, c] = [min(127, max(-128, scale(end, multiplier, shift) + zero_of(target))) for end in ends]
    least_output, most_output = _clamp(operator, target)
    clipped: NDArray[Any] = np.clip(result, least_output, most_output)
    return clipped


def _clamp(operator: Operator, target: Tensor) -> tuple[int, int]:
    """The fused activation (relu or relu6) as a range of output values."""
    kind, zero = operator.options["activation"], zero_of(target)
    six = math.floor(float32(6.0 / float32(scale_of(target))) + 0.5)
    return (zero if kind in (1, 3) else -128), (min(127, zero + six) if kind == 3 else 127)


def _kept_channels(main: Subgraph, ranges: dict[int, NDArray[Any]]) -> dict[int, list[int]]:
    """Tensor -> the channels that are still computed, in order; tensors that nothing is known of are not in it.

    Backwards from the outputs. An operator along the channels has as many of them on both sides: where its input is
    needed by others too, the search is repeated with those channels wanted of its output.
    """
    forced: dict[int, NDArray[Any]] = {}
    while True:
        needed = _needed_channels(main, ranges, forced)
        uneven = [
            operator
            for operator in main.operators
            if _is_followed(main, operator) and operator.name in _ALONG
            if (needed[operator.inputs[0]] != needed[operator.outputs[0]]).any()
        ]
        if not uneven:
            break
        forced |= {operator.outputs[0]: needed[operator.inputs[0]] for operator in uneven}
    followed = {operator.outputs[0] for operator in main.operators if _is_followed(main, operator)}
    return {index: np.flatnonzero(needed[index]).tolist() for index in followed}


def _needed_channels(
    main: Subgraph, ranges: dict[int, NDArray[Any]], forced: dict[int, NDArray[Any]]
) -> dict[int, NDArray[Any]]:
    """Tensor -> whether each channel is needed; those in `forced` are."""
    needed = {index: channels.copy() for index, channels in forced.items()}
    produced = {operator.outputs[0] for operator in main.operators if _is_followed(main, operator)}

    def need(index: int, channels: NDArray[Any]) -> None:
        needed[index] = needed.get(index, np.zeros(len(channels), bool)) | channels

    def every(index: int) -> NDArray[Any]:
        return np.ones(_anything(main.tensors[index]).shape[1], bool)

    for index in main.outputs:
        need(index, every(index))
    for operator in reversed(main.operators):
        if not _is_followed(main, operator):
            for index in operator.inputs:
                if index >= 0:
                    need(index, every(index))
            continue
        target = operator.outputs[0]
        wanted = _rounded_up(needed.get(target, np.zeros(main.tensors[target].shape[-1], bool)))
        needed[target] = wanted
        need(operator.inputs[0], wanted if operator.name in _ALONG else _read(main, operator, wanted, ranges))
    for index in needed.keys() - produced:
        needed[index][:] = True
    return needed


def _rounded_up(wanted: NDArray[Any]) -> NDArray[Any]:
    more = max(1, int(wanted.sum())) + _MULTIPLE - 1
    missing = more // _MULTIPLE * _MULTIPLE - int(wanted.sum())
    result = wanted.copy()
    result[np.flatnonzero(~wanted)[:missing]] = True
    return result


def _read(main: Subgraph, operator: Operator, wanted: NDArray[Any], ranges: dict[int, NDArray[Any]]) -> NDArray[Any]:
    """Which channels of its input a product needs for the `wanted` outputs: neither constant nor of zero weights."""
    index = operator.inputs[0]
    known = ranges.get(index, _anything(main.tensors[index]))
    constant = known[0] == known[1]
    if _is_padded(operator, main):
        constant &= known[0] == zero_of(main.tensors[index])
    read: NDArray[Any] = ~constant & (_weights(main, operator)[wanted] != 0).any((0, 1))
    return read


def _rebuilt(main: Subgraph, ranges: dict[int, NDArray[Any]], kept: dict[int, list[int]]) -> Subgraph:
    tensors = list(main.tensors)
    for index, channels in kept.items():
        tensors[index] = replace(tensors[index], shape=(*tensors[index].shape[:-1], len(channels)))
    operators = []
    for operator in main.operators:
        if not _is_followed(main, operator):
            operators.append(operator)
            continue
        source, target = operator.inputs[0], operator.outputs[0]
        every = list(range(main.tensors[source].shape[-1]))
        inputs = _constants(main, operator, ranges, kept.get(source, every), kept[target])
        tensors += inputs
        places = tuple(range(len(tensors) - len(inputs), len(tensors)))
        operators.append(replace(operator, inputs=(source, *places)) if inputs else operator)
    return replace(main, tensors=tuple(tensors), operators=tuple(operators))


def _constants(
    main: Subgraph, operator: Operator, ranges: dict[int, NDArray[Any]], inputs: list[int], outputs: list[int]
) -> list[Tensor]:
    """The constant inputs of an operator whose input and output have only these channels left."""
    if operator.name == "RESHAPE":
        held = [main.tensors[index] for index in operator.inputs[1:] if index >= 0]
        return [
            replace(t, data=np.array([*t.data[:-1], len(outputs)], t.data.dtype)) for t in held if t.data is not None
        ]
    if operator.name in _ALONG - {"DEPTHWISE_CONV_2D"}:
        return []
    weights = main.tensors[operator.inputs[1]]
    assert weights.data is not None
    bias = _bias(main, operator, len(_weights(main, operator)))
    if operator.name == "DEPTHWISE_CONV_2D":
        data = weights.data[..., outputs]
    else:
        data = weights.data[outputs][..., inputs]
        bias = bias + _pruned_contribution(main, operator, ranges, inputs)
    left = (bias[outputs] + 2**31) % 2**32 - 2**31
    quantization = _slice_quantization(weights.quantization, len(bias), outputs)
    known = [main.tensors[index] for index in operator.inputs[2:3] if index >= 0]
    first = known[0] if known else Tensor(f"{weights.name}/bias", "int32", (), None, None)
    return [
        replace(weights, shape=data.shape, data=np.ascontiguousarray(data), quantization=quantization),
        replace(
            first, shape=(len(outputs),), data=left.astype(np.int32),
            quantization=_slice_quantization(first.quantization, len(bias), outputs),
        ),
    ]  # fmt: skip


def _pruned_contribution(
    main: Subgraph, operator: Operator, ranges: dict[int, NDArray[Any]], inputs: list[int]
) -> NDArray[Any] | int:
    """What the channels that are gone add to every output."""
    index = operator.inputs[0]
    if index not in ranges:
        return 0
    values = ranges[index][0] - zero_of(main.tensors[index])
    gone = np.ones(len(values), bool)
    gone[inputs] = False
    gone &= ranges[index][0] == ranges[index][1]
    result: NDArray[Any] = (_weights(main, operator).sum(1) * (values * gone)).sum(1)
    return result


def _slice_quantization(quantization: Quantization | None, count: int, channels: list[int]) -> Quantization | None:
    if quantization is None or len(quantization.scale) != count or count == 1:
        return quantization
    scales, zeros = quantization.scale, quantization.zero_point
    return Quantization(tuple(scales[c] for c in channels), tuple(zeros[c] for c in channels), quantization.axis)
