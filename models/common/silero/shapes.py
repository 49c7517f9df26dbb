"""Silero VAD's network as shapes, without torch: what the module is built of and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, linear, work

#: Sample rate in Hz; samples of a frame, and those before it that the network sees, too.
RATE, FRAME, CONTEXT = 16_000, 512, 64
#: Of the spectrum: samples of a window, from one to the next, mirrored samples at the end; bins.
WINDOW, HOP, MIRRORED, BINS = 256, 128, 64, 129
#: Numbers in the LSTM's state.
HIDDEN = 128


@dataclass(frozen=True)
class Convolution:
    """A convolution over time with a kernel of 3 and a ReLU behind it."""

    inputs: int
    outputs: int
    stride: int


CONVOLUTIONS = (
    Convolution(BINS, 128, 1),
    Convolution(128, 64, 2),
    Convolution(64, 64, 2),
    Convolution(64, HIDDEN, 1),
)


def silero_work(calls: int, part: str = "network", *, quantized: bool = True) -> tuple[Work, ...]:
    """Work of a sound of so many frames."""
    moments = (CONTEXT + FRAME + MIRRORED - WINDOW) // HOP + 1
    layers = [Layer(2 * BINS * WINDOW, 0, moments, CONTEXT + FRAME + MIRRORED + 2 * BINS * moments)]
    for shape in CONVOLUTIONS:
        before, moments = moments, -(-moments // shape.stride)
        layers.append(convolution(shape.inputs, shape.outputs, 3, moments, before=before))
    layers += [linear(HIDDEN, 4 * HIDDEN)] * 2 + [linear(HIDDEN, 1)]
    return (work(part, "vector", layers, calls, left=layers[3].weights, quantized=quantized),)
