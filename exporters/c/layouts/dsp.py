"""Weights for the DSP extension of Cortex-M4, M7 and M33 (`kernels/*_dsp.c`), with their requantization beside them.

One array of int32 words a layer, in the order in which the kernel reads it. Its first word says what follows
(`_KIND_*`). The requantization is in it (`requantize.py`).

Pairs of channels share words: a 16-bit half holds ``256 * w1 + w0``. Multiplied as it is, it adds up
``256 * sum1 + sum0``; its low byte, sign-extended, adds up ``sum0``; so ``sum1`` needs no unpacking of weights. It
wants ``|sum1| < 2^23``, which is checked here for every input there can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.c.layouts.convolution import Axis, Convolution
from edgekit.exporters.c.layouts.requantize import NOTHING, SHIFT_MARK, Channel, Requantization, constants

_KIND_FAST, _KIND_GENERAL = 1, 0  # conv_2d, fully_connected
_KIND_TAPS, _KIND_PLAIN, _KIND_PLANES = 0, 1, 2  # depthwise_conv_2d
_PIXELS = 3  # that conv_2d computes at a time
#: Ways through the kernels, as in dsp.h.
_WAY_CONV_GATHER, _WAY_CONV_PLAIN, _WAY_FULLY_CONNECTED_PLAIN = 0x1, 0x2, 0x4
_WAY_TAPS, _WAY_PLAIN, _WAY_PLANES, _WAY_STRIP_PLAIN, _WAY_STRIP = 0x8, 0x10, 0x20, 0x40, 0x80


def pack_conv_2d(weights: NDArray[Any], requantization: Requantization) -> NDArray[Any]:
    """int8 [output, height, width, input] -> int32 words.

    For each pair of channels: two biases; for every 4 values of the patch two words, of the values 0, 2 and 1, 3 (the
    order in which SXTB16 unpacks activations); multipliers and factors of both.
    """
    rows, channels = _rows(weights.reshape(len(weights), -1), requantization, (4, 2))
    fast = _are_fast(rows, channels)
    words = [_i32([_KIND_FAST if fast else _KIND_GENERAL])]
    for i in range(0, len(rows), 2):
        pair = channels[i : i + 2]
        halves = _halves(rows[i], rows[i + 1], fast).reshape(-1, 4)[:, [0, 2, 1, 3]]
        words += [_biases(pair, fast), _join(halves), _multipliers(pair), _factors(pair)]
    return np.concatenate(words)


def pack_fully_connected(weights: NDArray[Any], requantization: Requantization) -> NDArray[Any]:
    """int8 [outputs, inputs] -> int32 words.

    For every 4 channels: four biases; for every 8 inputs four words of the first pair and four of the second; four
    multipliers, four factors.
    """
    rows, channels = _rows(weights, requantization, (8, 4))
    fast = _are_fast(rows, channels)
    words = [_i32([_KIND_FAST if fast else _KIND_GENERAL])]
    for i in range(0, len(rows), 4):
        group = channels[i : i + 4]
        pairs = [_halves(rows[j], rows[j + 1], fast).reshape(-1, 4)[:, [0, 2, 1, 3]] for j in (i, i + 2)]
        both = np.stack([pair.reshape(-1, 8) for pair in pairs], axis=1)
        words += [_biases(group[:2], fast), _biases(group[2:], fast), _join(both), _multipliers(group), _factors(group)]
    return np.concatenate(words)


def pack_depthwise_conv_2d(weights: NDArray[Any], requantization: Requantization, shape: Convolution) -> NDArray[Any]:
    """int8 [height, width, channels] -> int32 words, one of three layouts."""
    taps = weights.reshape(-1, weights.shape[2])
    channels = [constants(taps[:, c], requantization, c) for c in range(taps.shape[1])]
    taps = np.where([channel.constant for channel in channels], np.int8(0), taps)
    if has_planes(shape):
        return _planes(taps.reshape(weights.shape), channels)
    return _taps(taps, channels) if shape.outputs == 1 else _plain(taps, channels)


def has_planes(shape: Convolution) -> bool:
    """Whether a depthwise convolution is computed channel by channel, from a copy of the channel as 16-bit values."""
    size, strides = (*shape.kernel, shape.outputs), shape.strides
    return size == (3, 3, 1) and strides in ((1, 1), (2, 2)) and shape.dilations == (1, 1)


def scratch_conv_2d(shape: Convolution) -> int:
    """Bytes: the patches of a block of pixels as 16-bit values, and as bytes where they are not already in a row."""
    patch = _up(shape.taps * shape.channels, 4)
    direct = shape.taps == 1 and shape.channels % 4 == 0
    return _PIXELS * patch * (2 if direct else 3) + (0 if direct else 4)


def scratch_depthwise_conv_2d(shape: Convolution) -> int:
    """Bytes: two channels, padded, as 16-bit values; or a row of padding and the place of every tap."""
    if has_planes(shape):
        height, width = ((axis.output - 1) * axis.stride + 3 for axis in (shape.height, shape.width))
        return 2 * 2 * height * _up(width, 2)
    return 4 * _up(shape.taps, 2) + _up(shape.channels, 4) if shape.outputs == 1 else 0


def scratch_fully_connected(inputs: int) -> int:
    """Bytes: a row of inputs as 16-bit values."""
    return 2 * _up(inputs, 8)


def in_place_conv_2d(shape: Convolution) -> bool:
    """Whether the output may take the input's place: a block of pixels is read before any of it is written."""
    pointwise = shape.taps == 1 and shape.outputs <= shape.channels
    few = shape.height.output * shape.width.output <= _PIXELS
    return shape.strides == (1, 1) and (pointwise or few)


def in_place_depthwise_conv_2d(shape: Convolution) -> bool:
    """Likewise: a channel is read before any of it is written, and its outputs are at its own addresses."""
    return has_planes(shape) or (shape.outputs == 1 and shape.output == (1, 1))


def ways_conv_2d(packed: NDArray[Any], shape: Convolution) -> int:
    """Which ways through the kernel a layer takes; all layers' together are ``EK_DSP_WAYS`` of layout.h."""
    in_a_row = shape.taps == 1 and shape.strides == (1, 1) and shape.channels % 4 == 0
    plain = packed[0] != _KIND_FAST or shape.outputs % 2
    return (0 if in_a_row else _WAY_CONV_GATHER) | (_WAY_CONV_PLAIN if plain else 0)


def ways_fully_connected(packed: NDArray[Any], outputs: int) -> int:
    return _WAY_FULLY_CONNECTED_PLAIN if packed[0] != _KIND_FAST or outputs % 4 else 0


def ways_depthwise_conv_2d(packed: NDArray[Any], width: Axis) -> int:
    kind = int(packed[0])
    if kind != _KIND_PLANES:
        return _WAY_TAPS if kind == _KIND_TAPS else _WAY_PLAIN
    general = ((packed[1:].reshape(-1, 5)[:, 2] >> 16) & 0xFF) == 0
    ways, left = _WAY_PLANES | (_WAY_STRIP_PLAIN if general.any() else 0), width.output
    while left:
        columns = strip_columns(width.stride, left)
        ways |= _WAY_STRIP << (8 * width.stride + columns - 8)
        left -= columns
    return ways


def strip_columns(stride: int, left: int) -> int:
    """As `ek_strip_columns`: how wide the next strip of a plane is when `left` columns are left."""
    if stride == 1:
        return 6 if left >= 6 else 2 if left == 4 else left
    return 3 if left in (3, 6) else 4 if left >= 4 else 1


def _rows(
    weights: NDArray[Any], requantization: Requantization, multiple: tuple[int, int]
) -> tuple[NDArray[Any], list[Channel]]:
    """Weights [channels, values] with zeros up to multiples of (values, channels), and every channel's constants."""
    outputs, values = weights.shape
    rows = np.zeros((_up(outputs, multiple[1]), _up(values, multiple[0])), np.int64)
    rows[:outputs, :values] = weights
    channels = [constants(weights[c], requantization, c) for c in range(outputs)]
    channels += [NOTHING] * (len(rows) - outputs)
    rows[[channel.constant for channel in channels]] = 0
    return rows, channels


def _are_fast(rows: NDArray[Any], channels: Sequence[Channel]) -> bool:
    """Whether the fast kernel is exact: no general arithmetic, no half and no second sum out of range."""
    fits = (256 * rows[1::2] + rows[::2]).min(initial=0) >= -(2**15)
    sums = 128 * np.abs(rows[1::2]).sum(1) + np.abs([channel.bias for channel in channels[1::2]])
    return bool(fits and sums.max(initial=0) < 2**23 and all(channel.factor > 0 for channel in channels))


def _halves(first: NDArray[Any], second: NDArray[Any], fast: bool) -> NDArray[Any]:
    """Both weights in 16 bits: as one number for the fast kernel, else as two bytes."""
    halves: NDArray[Any] = (256 * second + (first if fast else first & 0xFF)).astype(np.uint16)
    return halves


def _join(halves: NDArray[Any]) -> NDArray[Any]:
    """Neighbours of 16 bits -> int32 words, the first in the low half."""
    pairs = halves.reshape(-1, 2).astype(np.uint32)
    words: NDArray[Any] = (pairs[:, 0] | pairs[:, 1] << np.uint32(16)).view(np.int32)
    return words


def _biases(pair: Sequence[Channel], fast: bool) -> NDArray[Any]:
    """The starts of both accumulators: the pair's sum first, for the fast kernel; else the second channel's own."""
    first, second = (channel.bias for channel in pair)
    return _i32([256 * second + first if fast else second, first])


def _multipliers(channels: Sequence[Channel]) -> NDArray[Any]:
    return _i32([channel.multiplier for channel in channels])


def _factors(channels: Sequence[Channel]) -> NDArray[Any]:
    return _i32([channel.factor for channel in channels])


def _planes(weights: NDArray[Any], channels: Sequence[Channel]) -> NDArray[Any]:
    """3x3: for each channel bias, multiplier, and a word for each row: taps 0 and 1, a byte, tap 2.

    The first row's byte is 32 - r and the second row's 0 or 1: the factor. Or they are 0 and a shift.
    """
    words = [_i32([_KIND_PLANES])]
    for c, channel in enumerate(channels):
        rows = np.ascontiguousarray(weights[:, [0, 1, 1, 2], c])
        unit = channel.factor.bit_length() - 1
        more = channel.factor - (1 << unit) if channel.factor > 0 else channel.factor + SHIFT_MARK
        rows[:2, 2] = [unit, more] if channel.factor > 0 else [0, more]
        words += [_i32([channel.bias, channel.multiplier]), rows.view(np.int32).reshape(-1)]
    return np.concatenate(words)


def _taps(taps: NDArray[Any], channels: Sequence[Channel]) -> NDArray[Any]:
    """Any kernel: for every 4 channels 4 biases; for every 2 taps a word of channels 0, 1 and a word of 2, 3, which
    two SXTB16 make pairs of taps; 4 multipliers; 4 factors."""
    count, width = taps.shape
    padded = np.zeros((_up(count, 2), _up(width, 4)), np.int8)
    padded[:count, :width] = taps
    every = [*channels, *[NOTHING] * (padded.shape[1] - width)]
    words = [_i32([_KIND_TAPS])]
    for c in range(0, len(every), 4):
        group = every[c : c + 4]
        pairs = padded[:, c : c + 4].reshape(-1, 2, 2, 2).transpose(0, 2, 1, 3)
        data = np.ascontiguousarray(pairs).reshape(-1).view(np.int32)
        words += [_i32([channel.bias for channel in group]), data, _multipliers(group), _factors(group)]
    return np.concatenate(words)


def _plain(taps: NDArray[Any], channels: Sequence[Channel]) -> NDArray[Any]:
    """Several outputs of a channel: biases, multipliers, factors, then the weights as they were."""
    data = np.zeros(_up(taps.size, 4), np.int8)
    data[: taps.size] = taps.reshape(-1)
    bias = _i32([channel.bias for channel in channels])
    return np.concatenate([_i32([_KIND_PLAIN]), bias, _multipliers(channels), _factors(channels), data.view(np.int32)])


def _i32(values: Sequence[int]) -> NDArray[Any]:
    """Words modulo 2^32."""
    return np.array([value & 0xFFFFFFFF for value in values], np.uint32).view(np.int32)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
