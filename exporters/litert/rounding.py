"""Weights of a .tflite that lie on int8's grid before the quantizer sees them (see `edgekit.quantization.snapping`)."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.core import Feeds
from edgekit.exporters.litert import file
from edgekit.exporters.litert.watch import Watcher
from edgekit.quantization.samples import spaced
from edgekit.quantization.snapping import CALLS, Inputs, Snapped, Window, snapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def rounded(
    content: bytes,
    watch: Watcher,
    feeds: Sequence[Feeds],
    tell: Callable[[int, int], None],
    *,
    per_channel: bool = True,
) -> dict[str, Snapped]:
    """Layer of the fp32 file `content` -> its weights on the grid, as the file orders them, and the shift of its bias.

    Left out, so rounded to nearest: layers that share their weights, and operators of other kinds.
    """
    model = file.parse(content)
    graph = model.subgraphs[0]
    names = [file.text(tensor.name) for tensor in graph.tensors]
    layers = {name: found for name, *found in file.weighted(model)}
    shared = Counter(int(graph.tensors[weights].buffer) for _, _, weights, _, _ in layers.values())
    seen: dict[str, Inputs] = {}
    for name, (kind, operator, weights, _, _) in layers.items():
        if kind in _KINDS and shared[int(graph.tensors[weights].buffer)] == 1:
            seen[name] = _inputs(graph, kind, operator, weights)
    sources = {name: names[int(layers[name][1].inputs[0])] for name in seen}
    calls = spaced(feeds, CALLS)
    for i, feed in enumerate(calls):
        tell(i, len(calls))
        tensors = dict(watch.tensors(feed, set(sources.values())))
        for name, source in sources.items():
            if source in tensors:
                seen[name].see(tensors[source].astype(np.float32), len(calls))
    out = {}
    for name, inputs in seen.items():
        kind, _, weights, bias, _ = layers[name]
        constant = file.constant(model, graph, weights)
        assert constant is not None
        values = np.moveaxis(constant[0], -1, 0)[..., None] if kind == "DEPTHWISE_CONV_2D" else constant
        made = snapped(values, inputs, per_channel=per_channel, biased=bias >= 0)
        back = np.moveaxis(made.weights[..., 0], 0, -1)[None] if kind == "DEPTHWISE_CONV_2D" else made.weights
        out[name] = Snapped(back, made.shift)
    return out


def _inputs(graph: Any, kind: str, operator: Any, weights: int) -> Inputs:
    if kind == "FULLY_CONNECTED":
        return Inputs()
    options = operator.builtinOptions
    source, kernel = file.shape_of(graph.tensors[int(operator.inputs[0])]), file.shape_of(graph.tensors[weights])
    size, strides = (kernel[1], kernel[2]), (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    pads = [0, 0, 0, 0]
    if options.padding == schema.Padding.SAME:
        for i in (0, 1):
            reach = (size[i] - 1) * dilations[i] + 1
            total = max((-(-source[i + 1] // strides[i]) - 1) * strides[i] + reach - source[i + 1], 0)
            pads[i], pads[i + 2] = total // 2, total - total // 2
    groups = source[3] if kind == "DEPTHWISE_CONV_2D" else source[3] // kernel[3]
    return Inputs(Window(size, strides, (pads[0], pads[1], pads[2], pads[3]), dilations), groups)


def replaced(content: bytes, made: Mapping[str, Snapped], floats: Collection[str], *, biases: bool) -> bytes:
    """The fp32 file `content` with the weights in `made`, but for the layers in `floats`.

    Args:
        biases: whether those take up the shift, too.
    """
    model = file.parse(content)
    graph = model.subgraphs[0]
    for name, _, operator, weights, bias, _ in list(file.weighted(model)):
        if name not in made or name in floats:
            continue
        model.buffers[graph.tensors[weights].buffer] = _buffer(made[name].weights)
        if biases and bias >= 0:
            shifted(model, operator, bias, made[name].shift, f"{name}/bias")
    return file.pack(model)


def shifted(model: Any, operator: Any, bias: int, by: NDArray[Any], name: str) -> None:
    """Another bias for a layer: a tensor of its own, called `name` if others share the old one (of zeros)."""
    graph = model.subgraphs[0]
    values = file.constant(model, graph, bias)
    assert values is not None
    tensor = copy.copy(graph.tensors[bias])
    model.buffers.append(_buffer(values + by))
    tensor.buffer = len(model.buffers) - 1
    if sum(bias in other.inputs for other in graph.operators) > 1:
        tensor.name = name
    graph.tensors.append(tensor)
    operator.inputs = np.array([len(graph.tensors) - 1 if i == bias else i for i in operator.inputs], np.int32)


def _buffer(values: NDArray[Any]) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8)
    return buffer
