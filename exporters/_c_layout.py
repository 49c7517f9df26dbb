"""Weights as a code path reads them, and the working memory that its kernels take.

``plain`` serves portable C and Helium, and is the layout of a .tflite; ``dsp`` the DSP extension
(`_c_layout_dsp`), with the requantization among the weights. A bundle in the plain layout reserves what the hungrier of
its two paths takes, so that the same sources run here and on the chip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from edgekit.errors import Unsupported
from edgekit.exporters import _c_layout_dsp as dsp
from edgekit.exporters import _c_layout_mve as mve
from edgekit.exporters._c_layout_dsp import Requantization
from edgekit.exporters._c_layout_mve import Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYOUTS = ("plain", "dsp")


class Convolution(NamedTuple):
    """The shape of a convolution, or of a depthwise one (`outputs` is then its depth multiplier)."""

    height: Axis
    width: Axis
    channels: int
    outputs: int

    @property
    def taps(self) -> int:
        return self.height.kernel * self.width.kernel

    @property
    def strides(self) -> tuple[int, int]:
        return self.height.stride, self.width.stride

    @property
    def dilations(self) -> tuple[int, int]:
        return self.height.dilation, self.width.dilation

    @property
    def kernel(self) -> tuple[int, int]:
        return self.height.kernel, self.width.kernel

    @property
    def output(self) -> tuple[int, int]:
        return self.height.output, self.width.output


class Packed(NamedTuple):
    """What is written for a layer: its weights, scratch in bytes, whether the output may take the input's place, and
    whether the arrays of its requantization are read too."""

    weights: NDArray[Any]
    scratch: int
    in_place: bool
    requantization: bool


def check(layout: str) -> str:
    """`layout` itself. Raises Unsupported for another name."""
    if layout not in LAYOUTS:
        raise Unsupported(f"there is no weight layout {layout!r}; there are {', '.join(LAYOUTS)}.")
    return layout


def conv_2d(layout: str, weights: NDArray[Any], requantization: Requantization, shape: Convolution) -> Packed:
    """For weights int8 [outputs, height, width, channels]."""
    height, width = shape.kernel
    if layout == "dsp":
        pixels = shape.output[0] * shape.output[1]
        place = dsp.in_place_conv_2d(height, width, shape.channels, shape.outputs, pixels) and shape.strides == (1, 1)
        scratch = dsp.scratch_conv_2d(height, width, shape.channels)
        return Packed(dsp.pack_conv_2d(weights, requantization), scratch, place, False)
    direct = shape.taps == 1 and shape.strides == (1, 1)
    portable = 0 if direct else shape.taps * shape.channels
    helium = mve.scratch_conv_2d(shape.height, shape.width, shape.channels)
    return Packed(weights.reshape(-1), max(portable, helium), False, True)


def depthwise_conv_2d(layout: str, weights: NDArray[Any], requantization: Requantization, shape: Convolution) -> Packed:
    """For weights int8 [height, width, channels * depth multiplier]."""
    if layout == "dsp":
        packed = dsp.pack_depthwise_conv_2d(weights, shape.outputs, requantization, shape.strides, shape.dilations)
        scratch = dsp.scratch_depthwise_conv_2d(
            shape.kernel, shape.channels, shape.outputs, shape.output, shape.strides, shape.dilations
        )
        place = dsp.in_place_depthwise_conv_2d(
            shape.kernel, shape.outputs, shape.output, shape.strides, shape.dilations
        )
        same = shape.output == (shape.height.input, shape.width.input)
        return Packed(packed, scratch, place and same, False)
    helium = mve.scratch_depthwise_conv_2d(shape.height, shape.width, shape.outputs)
    return Packed(weights.reshape(-1), max(shape.channels, helium), False, True)


def fully_connected(layout: str, weights: NDArray[Any], requantization: Requantization) -> Packed:
    """For weights int8 [outputs, inputs]."""
    if layout == "dsp":
        packed = dsp.pack_fully_connected(weights, requantization)
        return Packed(packed, dsp.scratch_fully_connected(weights.shape[1]), False, False)
    return Packed(weights.reshape(-1), 0, False, True)
