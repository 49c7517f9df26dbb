"""Which tensors share their factors, and what the factors are."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.weights.streams import Streams, factors


def test_tensors_that_an_operator_ties_are_one_stream() -> None:
    streams = Streams[str]()
    for tensor, node in (("a", "first"), ("b", "second")):
        streams.of(tensor).makers.append(node)
    streams.of("sum").readers.append("third")
    assert streams.free() == []  # nobody reads a or b
    streams.join(["a", "b", "sum"])
    (stream,) = streams.free()
    assert (stream.tensors, stream.makers, stream.readers) == ({"a", "b", "sum"}, ["first", "second"], ["third"])
    assert streams.of("b") is streams.of("sum")
    streams.fix(["b"])
    assert streams.free() == []


def test_a_stream_joined_with_a_fixed_one_is_fixed() -> None:
    streams = Streams[str]()
    streams.of("a").makers.append("first")
    streams.of("a").readers.append("second")
    streams.fix(["output"])
    streams.join(["a", "output"])
    assert streams.free() == []


def test_factors_bring_channels_nearer_and_leave_the_largest_alone() -> None:
    largest = np.array([64.0, 4.0, 1.0, 1.0])
    divided = factors([largest, largest / 2])
    assert divided is not None and divided.max() == divided[0] == 1.0
    left = largest / divided
    assert left.max() / left.min() == pytest.approx((64 / 1) ** 0.25)


def test_a_dead_channel_has_a_bounded_factor() -> None:
    divided = factors([np.array([10.0, 10.0, 0.0, 0.1])])
    assert divided is not None and divided.min() == pytest.approx(1e-3**0.75)


@pytest.mark.parametrize("largest", [[1.0, 1.0, 2.0], [0.0, 0.0], [3.0]])
def test_channels_that_are_alike_or_all_dead_stay(largest: list[float]) -> None:
    assert factors([np.array(largest)]) is None


def test_a_tensor_with_other_channels_stops_it() -> None:
    assert factors([np.array([64.0, 1.0, 1.0]), np.array([64.0])]) is None
