"""Weights of a .tflite, rounded by the inputs of their layers (see `edgekit.quantization.weights.snapping`).

The result is a float file whose weights lie on the grid that ai-edge-quantizer will take: it rounds each to itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgekit.common.lazy import np
from edgekit.core import Feeds
from edgekit.exporters.litert import file
from edgekit.exporters.litert.watch import Watcher
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.snapping import CALLS, Inputs, Window, snap_to_grid


def round_weights(
    content: bytes,
    watcher: Callable[[bytes], Watcher],
    feeds: Sequence[Feeds],
    tell: Callable[[int, int], None],
    *,
    per_channel: bool = True,
) -> bytes:
    """The float file `content` with weights on a grid of int8, and biases that take up what rounding shifts.

    Left out, so rounded to nearest: layers that share their weights, transposed and three-dimensional convolutions.

    Args:
        watcher: opens a file. feeds: real inputs of the part.
    """
    model, calls = file.parse(content), subsample_evenly(feeds, CALLS)
    graph = model.subgraphs[0]
    used = Counter(int(index) for operator in graph.operators for index in operator.inputs)
    layers = [
        (operator, (kind, weights, bias), inputs)
        for _, kind, operator, weights, bias, _ in file.weighted_operators(model)
        if used[weights] == 1 and (inputs := _inputs(graph, operator, kind, weights)) is not None
    ]
    sources = [int(operator.inputs[0]) for operator, _, _ in layers]
    names = {index: file.text(graph.tensors[index].name) for index in sources}
    watch = watcher(content)
    for i, feed in enumerate(calls):
        tell(i, len(calls))
        values = dict(watch.tensors(feed, set(names.values())))
        for source, (_, _, inputs) in zip(sources, layers, strict=True):
            if (seen := values.get(names[source])) is not None:
                inputs.see(seen, len(calls))
    for operator, places, inputs in layers:
        _write(model, operator, places, inputs, per_channel)
    return file.pack(model)


def _inputs(graph: Any, operator: Any, kind: str, weights: int) -> Inputs | None:
    """What to record of an operator's inputs; None for one that is rounded to nearest."""
    source, shape = (file.shape_of(graph.tensors[index]) for index in (int(operator.inputs[0]), weights))
    options = operator.builtinOptions
    if kind == "FULLY_CONNECTED":
        return Inputs() if source and source[-1] == shape[1] else None
    if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or len(source) != 4:
        return None
    groups = source[3] // shape[3] if kind == "CONV_2D" else source[3]
    size, strides = (shape[1], shape[2]), (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    pads = (0, 0, 0, 0)
    if options.padding == schema.Padding.SAME:
        (top, bottom), (left, right) = (_same(source[i + 1], size[i], strides[i], dilations[i]) for i in (0, 1))
        pads = (top, left, bottom, right)
    return Inputs(Window(size, strides, pads, dilations), groups)


def _same(length: int, size: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after, so that there are ceil(length / stride) outputs; the odd one lies behind."""
    whole = max((-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
    return whole // 2, whole - whole // 2


def _write(model: Any, operator: Any, places: tuple[str, int, int], inputs: Inputs, per_channel: bool) -> None:
    """Round one layer in place."""
    graph, (kind, weights, bias) = model.subgraphs[0], places
    held, biases = file.constant(model, graph, weights), None if bias < 0 else file.constant(model, graph, bias)
    assert held is not None
    depthwise = kind == "DEPTHWISE_CONV_2D"  # one channel of inputs or many
    values = np.moveaxis(held, 3, 0)[:, 0, :, :, None] if depthwise else held
    made = snap_to_grid(np.ascontiguousarray(values), inputs, per_channel=per_channel, biased=biases is not None)
    back = np.moveaxis(made.weights[:, None, :, :, 0], 0, 3) if depthwise else made.weights
    file.store(model, weights, back)
    if biases is not None:
        file.store(model, file.own(graph, operator, bias), biases + made.shift.reshape(biases.shape))
