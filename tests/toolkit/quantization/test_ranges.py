"""Ranges of activations, and what a bias asks of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.ranges import (
    EXTREMES,
    METHODS,
    MIDDLE,
    TAIL,
    WIDE,
    Extremes,
    Histograms,
    best_zero,
    least_scale,
)  # fmt: skip


def test_histograms_leave_out_what_is_rare() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 60_000), [500.0]]).astype(np.float32)
    observed = Histograms(lambda feeds: {"x": values}, [{}], lambda done, total: None)
    assert observed.ranges("min-max")["x"] == (pytest.approx(values.min()), 500.0)
    assert observed.ranges("percentile")["x"][1] < 10
    assert observed.ranges("entropy")["x"][1] < 500
    assert observed.ranges(WIDE)["x"] == (pytest.approx(1.1 * values.min()), pytest.approx(550))


@pytest.mark.parametrize("value", [0.0, 1e-42, -1e-39, 1e-35, 2.5, -7.0])
@pytest.mark.parametrize("spread", [0.0, 1e-44])
def test_a_nearly_constant_tensor_has_a_range(value: float, spread: float) -> None:
    """Whose step float32 holds."""
    values = np.linspace(value, value + spread, 100, dtype=np.float32)
    observed, extremes = Histograms(lambda feeds: {"x": values}, [{}], lambda done, total: None), Extremes()
    extremes.see("x", values)
    ranges = [observed.ranges(method)["x"] for method in (*METHODS, WIDE)] + [
        extremes.ranges(method)["x"] for method in EXTREMES
    ]
    for least, largest in ranges:
        step = np.float32((largest - least) / 255)
        assert least <= largest
        assert step == 0 or step >= np.finfo(np.float32).smallest_normal


@pytest.mark.parametrize("interpolated", [True, False])
def test_extremes_of_all_calls_with_and_without_tails(interpolated: bool) -> None:
    rng, seen = np.random.default_rng(0), Extremes(interpolated)
    calls = [rng.normal(i, 1, (100, 200)).astype(np.float32) for i in range(3)]
    calls[1][0, 0] = 500
    for values in calls:
        seen.see("x", values)
    seen.see("small", np.array([1.0, 2.0]))
    assert seen.ranges("min-max")["x"] == (min(map(np.min, calls)), 500.0)
    least, largest = seen.ranges("percentile")["x"]
    if interpolated:
        assert least == min(np.quantile(values, TAIL) for values in calls)
        assert largest == max(np.quantile(values, 1 - TAIL) for values in calls)
    else:  # 2 of 20,000 values at each end are left out
        assert least == min(np.sort(values.ravel())[2] for values in calls)
        assert largest == max(np.sort(values.ravel())[-3] for values in calls)
    assert largest < 10
    assert {seen.ranges(method)["small"] for method in EXTREMES} == {(1.0, 2.0)}  # too few values to have tails


def test_the_least_scale_holds_a_bias() -> None:
    bias, step = np.array([-3.0, 0.0, 1e9]), 0.01
    scale = least_scale(bias, step)
    assert scale[1] == 0
    np.testing.assert_allclose(np.abs(bias[[0, 2]]) / step / scale[[0, 2]], 2**30)


def test_zero_lies_where_rows_use_most_steps() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 64))
    assert 110 < best_zero(rows.min(axis=1), rows.max(axis=1)) < 146
    gelu = np.where(rows > 0, 10 * rows, -0.17)
    assert 1 <= best_zero(gelu.min(axis=1), gelu.max(axis=1)) <= 5
    assert best_zero(np.zeros(3), np.full(3, 5.0)) == 1
    assert best_zero(np.full(3, -5.0), np.zeros(3)) == 254


@pytest.mark.parametrize("least, largest", [([0.0], [0.0]), ([-1.0], [np.inf]), ([np.nan], [1.0])])
def test_rows_that_say_nothing_about_zero(least: list[float], largest: list[float]) -> None:
    assert best_zero(np.array(least), np.array(largest)) == MIDDLE
