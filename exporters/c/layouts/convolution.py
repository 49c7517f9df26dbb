"""The shape of a convolution, on which layouts and working memory depend."""

from __future__ import annotations

from typing import NamedTuple


class Axis(NamedTuple):
    """A convolution along its height or its width."""

    input: int
    output: int
    kernel: int
    stride: int = 1
    dilation: int = 1

    @property
    def has_padding(self) -> bool:
        """Whether some tap falls outside of the input."""
        return (self.output - 1) * self.stride + (self.kernel - 1) * self.dilation >= self.input


class Convolution(NamedTuple):
    """The shape of a convolution, depthwise too (`outputs` is then its depth multiplier)."""

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
