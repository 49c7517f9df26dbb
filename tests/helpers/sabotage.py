"""Five ways to break a network that no verdict may pass: its .onnx with other weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights = dict[str, "NDArray[Any]"]


def _largest(weights: Weights) -> str:
    """The largest matrix or kernel."""
    return max(weights, key=lambda name: weights[name].size if weights[name].ndim > 1 else 0)


def _swap_channels(weights: Weights) -> None:
    """The input channels of the largest layer in reverse order."""
    name = _largest(weights)
    array = weights[name]
    axis = max(range(array.ndim), key=lambda axis: array.shape[axis] if axis < 2 else 0)
    weights[name] = np.flip(array, axis).copy()


def _round_to_three_bits(weights: Weights) -> None:
    """The larger half of the layers in 3 bits, with a scale for each matrix."""
    names = sorted((name for name in weights if weights[name].ndim > 1), key=lambda name: -weights[name].size)
    for name in names[: max(1, len(names) // 2)]:
        step = float(np.abs(weights[name]).max()) / 3 or 1.0
        weights[name] = (np.round(weights[name] / step) * step).astype(weights[name].dtype)


def _zero_head(weights: Weights) -> None:
    """The last layer set to zero."""
    name = [name for name in weights if weights[name].ndim > 1][-1]
    weights[name] = np.zeros_like(weights[name])


def _draw_anew(weights: Weights) -> None:
    """The largest layer drawn from another seed, with the same spread."""
    name = _largest(weights)
    array = weights[name]
    weights[name] = np.random.default_rng(11).normal(array.mean(), array.std(), array.shape).astype(array.dtype)


def _shift_by_half(weights: Weights) -> None:
    """The first layer's rows rolled by half, as by a hop that is shifted."""
    name = next(name for name in weights if weights[name].ndim > 1)
    axis = int(np.argmax(weights[name].shape))
    weights[name] = np.roll(weights[name], weights[name].shape[axis] // 2 or 1, axis)


SABOTAGES: dict[str, Callable[[Weights], None]] = {
    "channels swapped": _swap_channels,
    "3 bits": _round_to_three_bits,
    "head of zeros": _zero_head,
    "another seed": _draw_anew,
    "shifted by half": _shift_by_half,
}


def sabotage(file: Path, how: str) -> None:
    """Break the float weights of an .onnx in place, in the order in which its nodes use them."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(file)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    used = dict.fromkeys(name for node in model.graph.node for name in node.input if name in held)
    weights = {name: numpy_helper.to_array(held[name]) for name in used}
    weights = {name: array for name, array in weights.items() if array.dtype.kind == "f" and array.size > 8}
    SABOTAGES[how](weights)
    for name, array in weights.items():
        held[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))
    onnx.save(model, file)
