"""The DSP layout: its two-multiply requantization against gemmlowp's arithmetic, and words that hold what was packed.

That the kernels read them right is in test_c_kernels.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.exporters.c.layouts import dsp
from edgekit.exporters.c.layouts.convolution import Axis, Convolution
from edgekit.exporters.c.layouts.requantize import Channel, Requantization, constants
from edgekit.exporters.c.lowering.fixed_point import scale

multipliers = st.one_of(st.just(0), st.just(1 << 30), st.just((1 << 31) - 1), st.integers(1 << 30, (1 << 31) - 1))
biases = st.one_of(st.integers(-(1 << 20), 1 << 20), st.integers(-(1 << 31), (1 << 31) - 1))
ones = st.tuples(biases, multipliers, st.integers(-31, 3))


def requantization(*channels: tuple[int, int, int]) -> Requantization:
    columns = zip(*channels, strict=True)
    return Requantization(*(np.array(column, kind) for column, kind in zip(columns, ("i4", "i4", "i1"), strict=True)))


def multiply(a: int, b: int, c: int) -> int:
    """SMMLAR."""
    return (c + ((a * b + (1 << 31)) >> 32) + (1 << 31)) % (1 << 32) - (1 << 31)


def output(channel: Channel, total: int) -> int:
    """What the kernel makes of an accumulator, for an output zero point of 0, within what int8 and one can tell."""
    total = channel.bias if channel.constant else total
    if channel.factor < 0:
        return scale(total, channel.multiplier, channel.factor + 64)
    return multiply(multiply(total, channel.multiplier, total), channel.factor, 0)


@settings(max_examples=1500, deadline=None)
@given(ones, st.integers(0, 400), st.data())
def test_two_multiplies_round_as_gemmlowp_does(one: tuple[int, int, int], count: int, data: st.DataObject) -> None:
    """For every accumulator in reach, ties included, as far as the output's clamp can see."""
    weights = np.full(count, 100, np.int8)
    reach = (max(one[0] - 12800 * count, -(1 << 31)), min(one[0] + 12700 * count, (1 << 31) - 1))
    channel = constants(weights, requantization(one), 0)
    totals = {data.draw(st.integers(*reach)), *reach}
    half = 1 << max(0, -one[2] - 1)
    totals |= {total for at in (-3, -1, 1, 3, 5) for total in range(2 * at * half - 2, 2 * at * half + 3)}
    for total in sorted(total for total in totals if reach[0] <= total <= reach[1]):
        expected, actual = scale(total, one[1], one[2]), output(channel, total)
        assert expected == actual or (min(expected, actual) >= 256 or max(expected, actual) <= -256), (total, channel)


def test_a_channel_that_no_input_changes_is_a_constant() -> None:
    channel = constants(np.full(10, 127, np.int8), requantization((1 << 29, 1 << 30, -28)), 0)
    assert channel.constant
    assert output(channel, 12345) == scale(1 << 29, 1 << 30, -28) == 1


def unpacked(words: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both channels' values of a pair's words, in memory's order."""
    halves = np.ascontiguousarray(words).view(np.int16).astype(np.int64)
    first = (halves + 128) % 256 - 128
    return first, (halves - first) // 256


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 99))
def test_convolution_words_hold_the_weights(outputs: int, inputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (outputs, 1, 1, inputs), np.int8)
    packed = dsp.pack_conv_2d(weights, requantization(*[(7, 1 << 30, -5)] * outputs))
    assert packed.dtype == np.int32
    assert packed[0] == 1
    padded = -(-inputs // 4) * 4
    pairs = packed[1:].reshape(-1, 2 + padded // 2 + 4)
    for number, pair in enumerate(pairs):
        for offset, values in enumerate(unpacked(pair[2:-4])):
            ordered = values.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1)[:inputs]
            channel = 2 * number + offset
            assert (ordered == (weights[channel, 0, 0] if channel < outputs else 0)).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_strips_cover_a_row_and_begin_at_even_places(stride: int) -> None:
    for width in range(1, 40):
        at = 0
        while at < width:
            assert at * stride % 2 == 0
            at += dsp.strip_columns(stride, width - at)
        assert at == width


def test_ways_tell_what_a_layer_takes() -> None:
    plain = requantization(*[(0, 1 << 30, -5)] * 4)
    weights = np.ones((4, 1, 1, 8), np.int8)
    point, far = (Convolution(*[Axis(9, 9, 1, stride)] * 2, channels=8, outputs=4) for stride in (1, 2))
    assert dsp.ways_conv_2d(dsp.pack_conv_2d(weights, plain), point) == 0
    assert dsp.ways_conv_2d(dsp.pack_conv_2d(weights, plain), far) == 0x1
    general = requantization(*[(0, 1 << 30, 1)] * 4)
    assert dsp.ways_conv_2d(dsp.pack_conv_2d(weights, general), point) == 0x2
    taps = np.ones((3, 3, 4), np.int8)
    near, spread = (Convolution(*[Axis(9, 7, 3, 1, d)] * 2, channels=4, outputs=1) for d in (1, 2))
    planes = dsp.pack_depthwise_conv_2d(taps, plain, near)
    assert dsp.ways_depthwise_conv_2d(planes, near.width) == 0x20 | 0x80 << 6 | 0x80 << 1
    assert dsp.ways_depthwise_conv_2d(dsp.pack_depthwise_conv_2d(taps, plain, spread), spread.width) == 0x8
