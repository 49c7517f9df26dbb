"""Which calibration samples are enough, and which are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core import Feeds
from edgekit.errors import BadInput
from edgekit.numerics.parity import spread
from edgekit.quantization.samples import check, shortage, subsample_evenly


def pictures(count: int) -> list[Feeds]:
    return [{"x": np.random.default_rng(i).random((2, 2))} for i in range(count)]


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ([], "0"),
        (pictures(7), "7"),
        (pictures(1) * 30, "30, all the same"),
        (pictures(3) * 10, "30, only 3 of them different"),
        ([{"x": np.full((2, 2), i, np.uint8)} for i in range(20)], "20, each of them one constant value"),
        ([{"x": np.full(3, i > 4), "y": np.zeros((0, 2))} for i in range(8)], "8, only 2 of them different"),
    ],
)
def test_samples_that_say_nothing(feeds: list[Feeds], told: str) -> None:
    assert shortage(feeds) == told
    with pytest.raises(BadInput, match="at least 8 different calibration samples for the part 'part'") as caught:
        check(feeds, "part")
    assert caught.value.message.endswith(f"; there were {told}.")
    assert "--calibration DIR" in caught.value.hint and "--precision fp32" in caught.value.hint


@pytest.mark.parametrize(
    "feeds",
    [
        pictures(8),
        pictures(8) * 2,
        [{"x": np.array([[i]])} for i in range(8)],  # a single number is no constant picture
        [{"x": np.zeros(4), "y": np.arange(4) + i} for i in range(8)],
    ],
)
def test_samples_that_are_enough(feeds: list[Feeds]) -> None:
    assert shortage(feeds) == ""
    check(feeds, "part")


@given(st.integers(0, 300), st.integers(2, 50))
def test_evenly_spaced(count: int, most: int) -> None:
    items = range(count)
    for chosen in (subsample_evenly(items, most), spread(items, most)):
        steps: Sequence[int] = np.diff(chosen).tolist()
        assert len(chosen) <= most and set(chosen) <= set(items)
        assert not count or chosen[0] == 0
        assert not steps or max(steps) - min(steps) <= 1
    assert not count or spread(items, most)[-1] == count - 1
    assert len(spread(items, most)) == min(count, most)
