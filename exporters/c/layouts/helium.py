"""Working memory of the Helium kernels (`kernels/*_mve.c`). Their weights are in the plain layout.

Every number here is what the kernel of the same name takes; it counts in the same steps.
"""

from __future__ import annotations

from typing import Any

from edgekit.common.lazy import NDArray
from edgekit.exporters.c.layouts.convolution import Axis, Convolution

# conv_2d_mve.c
_CHANNELS, _WIDE, _FEW_PIXELS, _MANY_PIXELS, _MANY_TAPS, _COPY_BYTES = 3, 32, 48, 80, 64, 4096
# depthwise_conv_2d_mve.c
_COLUMN, _KERNEL_COLUMNS, _TILE_COLUMNS, _TILE = 64, 5, 16, 4


# Ways through the kernels, as mve.h names them.
_WAY_LEFT, _WAY_NARROW, _WAY_FAR, _WAY_SQUARE, _WAY_LINE, _WAY_TAPS = (1 << i for i in range(6))
_FAR = 65535 // 7


def scratch_conv_2d(shape: Convolution) -> int:
    """Bytes: the sums of a block of pixels, and a copy of its input rows or columns where the kernel needs it."""
    height, width, input_channels = shape.height, shape.width, shape.channels
    taps = shape.taps * input_channels
    if shape.taps != 1 and (width.dilation != 1 or width.kernel * input_channels < _WIDE):
        column = _up(taps, 16)
        most = min(max(_COPY_BYTES // column // 2 * 2, 2), _MANY_PIXELS)
        pixels = width.output if width.output <= most else _share(width.output, most)
        row = (pixels - 1) * width.stride + (width.kernel - 1) * width.dilation + 1
        return _up(4 * _CHANNELS * most + most * column + _WIDE + row * input_channels, 16)
    most = _MANY_PIXELS if taps >= _MANY_TAPS else _FEW_PIXELS
    sums = 4 * _CHANNELS * most
    if not height.has_padding and not width.has_padding:
        return sums

    def input_region_size(lines: int, pixels: int) -> int:
        columns = (pixels - 1) * width.stride + width.kernel
        return ((lines - 1) * height.stride + (height.kernel - 1) * height.dilation + 1) * columns * input_channels

    pixels = min(width.output, most)
    while pixels > 2 and input_region_size(1, pixels) > _COPY_BYTES:
        pixels -= 1
    if pixels < width.output:
        pixels = _share(width.output, pixels)
    lines = most // width.output if pixels == width.output and width.output % 2 == 0 else 1
    while lines > 1 and input_region_size(lines, pixels) > _COPY_BYTES:
        lines -= 1
    return _up(sums + input_region_size(min(lines, height.output), pixels) + _WIDE, 16)


def scratch_depthwise_conv_2d(shape: Convolution) -> int:
    """Bytes: the kernel and a strip of the input, of 16 channels, interleaved."""
    if shape.outputs != 1 or max(shape.kernel) > _TILE:
        return 0
    height, width = shape.height, shape.width
    outputs = min(width.output, _TILE_COLUMNS)
    if _is_dense(height, width):
        columns = _up(outputs, 2) + 2
    else:
        columns = (_up(outputs, _TILE) - 1) * width.stride + (_TILE - 1) * width.dilation + 1
    return (_KERNEL_COLUMNS + columns) * _COLUMN


def ways_conv_2d(shifts: NDArray[Any], saturates: bool, outputs: int) -> int:
    """Which ways through the kernel a layer takes; all layers' together are ``EK_HELIUM_WAYS`` of layout.h.

    Args:
        shifts: int8 [channels]. saturates: whether outputs are held to all of int8, which costs nothing.
    """
    left = _WAY_LEFT if shifts.max() >= 0 else 0
    return left | (0 if saturates else _WAY_NARROW) | (_WAY_FAR if outputs > _FAR else 0)


def ways_depthwise_conv_2d(shifts: NDArray[Any], shape: Convolution) -> int:
    """Likewise."""
    if shape.outputs != 1 or max(shape.kernel) > _TILE:
        return _WAY_TAPS
    left = _WAY_LEFT if shifts.max() >= 0 else 0
    return left | (_WAY_SQUARE if _is_dense(shape.height, shape.width) else _WAY_LINE)


def _is_dense(height: Axis, width: Axis) -> bool:
    dense = height.stride == height.dilation == width.stride == width.dilation == 1
    return dense and height.kernel <= 3 and width.kernel <= 3


def _share(width: int, most: int) -> int:
    return min(_up(-(-width // -(-width // most)), 8), most)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
