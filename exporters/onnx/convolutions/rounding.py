"""Weights for static int8, rounded by the inputs of their layers (see `edgekit.quantization.weights.snapping`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import onnx

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds
from edgekit.exporters.onnx.convolutions.places import Places, places
from edgekit.exporters.onnx.graph import attribute, constants, with_constants
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.snapping import CALLS, Inputs, Window, snap_to_grid
from edgekit.runtimes.onnxruntime.runner import open_model

Arrays = dict[str, NDArray[Any]]


def round_products(
    wanted: Places, feeds: Sequence[Feeds], tell: Callable[[int, int], None], *, per_channel: bool = True
) -> dict[str, Arrays]:
    """Product -> its constants (weights, and a bias that takes up what their rounding shifts) by name.

    Left out, so rounded to nearest: layers that share their weights, and convolutions in three dimensions.
    """
    arrays, calls = constants(wanted.model), subsample_evenly(feeds, CALLS)
    used = Counter(name for node in wanted.model.graph.node for name in node.input)
    seen = {
        name: inputs for name, node in wanted.products.items()
        if used[node.input[1]] == 1 and (inputs := _inputs(node, arrays[node.input[1]])) is not None
    }  # fmt: skip
    if not seen:  # onnxruntime gives no outputs where none are asked for
        return {}
    watched = dict.fromkeys(wanted.products[name].input[0] for name in seen)
    runner = open_model(wanted.model, watched)
    for i, feed in enumerate(calls):
        tell(i, len(calls))
        values = runner(feed)
        for name, inputs in seen.items():
            node = wanted.products[name]
            inputs.see(_channels_last(values[node.input[0]], node), len(calls))
    return {name: _constants(wanted.products[name], arrays, inputs, per_channel) for name, inputs in seen.items()}


def round_convolutions(
    model: onnx.ModelProto, feeds: Sequence[Feeds], tell: Callable[[int, int], None]
) -> onnx.ModelProto:
    """`model` with the weights of its convolutions on the grid of int8; it is computed in float as before."""
    found = places(model)
    convolutions = {name: node for name, node in found.products.items() if node.op_type == "Conv"}
    rounded = round_products(replace(found, products=convolutions), feeds, tell)
    return with_constants(model, {name: values for held in rounded.values() for name, values in held.items()})


def _inputs(node: onnx.NodeProto, weight: NDArray[Any]) -> Inputs | None:
    if node.op_type != "Conv":
        return Inputs()
    sides = weight.ndim - 2
    if sides not in (1, 2) or attribute(node, "auto_pad", b"NOTSET") != b"NOTSET":
        return None

    def both(name: str, default: int) -> tuple[int, int]:
        values = attribute(node, name, [default] * sides)
        return (values[0], values[1]) if sides == 2 else (default, values[0])

    pads = attribute(node, "pads", [0] * 2 * sides)
    top, left, bottom, right = pads if sides == 2 else (0, pads[0], 0, pads[1])
    size = (weight.shape[2], weight.shape[3]) if sides == 2 else (1, weight.shape[2])
    window = Window(size, both("strides", 1), (top, left, bottom, right), both("dilations", 1))
    return Inputs(window, attribute(node, "group", 1))


def _channels_last(values: NDArray[Any], node: onnx.NodeProto) -> NDArray[Any]:
    if node.op_type != "Conv":
        return values
    return np.moveaxis(values if values.ndim == 4 else values[:, :, None], 1, -1)


def _constants(node: onnx.NodeProto, arrays: Arrays, inputs: Inputs, per_channel: bool) -> Arrays:
    weight, bias = node.input[1], node.input[2] if len(node.input) > 2 else ""
    outputs_first = node.op_type == "Conv" or bool(attribute(node, "transB", 0))
    values = arrays[weight] if outputs_first else arrays[weight].T
    made = snap_to_grid(np.moveaxis(values, 1, -1), inputs, per_channel=per_channel, biased=bool(bias))
    back = np.moveaxis(made.weights, -1, 1)
    out = {weight: np.ascontiguousarray(back if outputs_first else back.T)}
    if bias:
        out[bias] = arrays[bias] + made.shift.reshape(arrays[bias].shape)
    return out
