"""Rounding by GPTQ: loses less than nearest on the recorded inputs, whatever these are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.quantization.weights.gptq import Grid, entropy, hessian, loss, nearest, round_by_gptq

GRIDS = [Grid(8), Grid(8, 16), Grid(5, 16), Grid(4, 32), Grid(8, 0, 4.5), Grid(8, 32, 5.25, even=True)]


def drawn(rows: int, inputs: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs that go together, as those of a network do, and weights for 24 outputs."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, inputs // 4)) @ rng.standard_normal((inputs // 4, inputs))
    x += 0.1 * rng.standard_normal((rows, inputs))
    return x.astype(np.float32), rng.standard_normal((inputs, 24)).astype(np.float32)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("inputs", [64, 150])
def test_it_loses_less_than_rounding_to_nearest(grid: Grid, inputs: int) -> None:
    x, weights = drawn(1000, inputs)
    curvature = hessian(x)
    made, near = round_by_gptq(weights, curvature, grid), nearest(weights, grid)
    least, most = grid.ends
    assert made.steps.dtype == np.int8
    assert (made.steps.min(), made.steps.max()) >= (least, least)
    assert made.steps.max() <= most
    assert made.scales.shape == (-(-inputs // grid.block) if grid.block else 1, 24)
    errors = [np.linalg.norm(x @ one.weights() - x @ weights) for one in (made, near)]
    assert errors[0] < 0.7 * errors[1]
    assert loss(made, weights, curvature) == pytest.approx(errors[0] ** 2, rel=0.02)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_few_inputs_or_none_still_give_weights_that_work(rows: int) -> None:
    """A Hessian of low rank says nothing about most directions: weights stay near, and what was seen is kept."""
    x, weights = drawn(rows, 64)
    made = round_by_gptq(weights, hessian(x) if rows else np.zeros((64, 64)), Grid(4, 32))
    near = nearest(weights, Grid(4, 32))
    assert np.linalg.norm(made.weights() - weights) <= 2 * np.linalg.norm(near.weights() - weights)
    if rows:
        assert np.linalg.norm(x @ made.weights() - x @ weights) <= np.linalg.norm(x @ near.weights() - x @ weights)
    else:
        assert (made.steps == near.steps).all()


def test_dead_channels_are_rounded_to_nearest() -> None:
    x, weights = drawn(500, 64)
    x[:, 7] = x[:, 40] = 0
    weights[:, 3] = 0
    made = round_by_gptq(weights, hessian(x), Grid(8))
    assert (made.steps[[7, 40]] == np.rint(weights / made.scales)[[7, 40]]).all()
    assert not made.steps[:, 3].any()
    assert np.isfinite(made.weights()).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_constant_inputs(grid: Grid) -> None:
    """All rows the same: only their sum matters, and it is met nearly exactly."""
    x, weights = np.ones((50, 64), np.float32), drawn(1, 64)[1]
    made, near = round_by_gptq(weights, hessian(x), grid), nearest(weights, grid)
    errors = [np.linalg.norm(x @ one.weights() - x @ weights) for one in (made, near)]
    assert errors[0] < 0.3 * errors[1]


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("bits", [2.5, 4, 5.25, 6.5])
def test_coded_steps_take_their_bits(bits: float, even: bool) -> None:
    rng = np.random.default_rng(0)
    weights = (rng.standard_normal((512, 2048)) * np.exp(rng.standard_normal(2048))).astype(np.float32)
    made = nearest(weights, Grid(8, 32, bits, even))
    assert bits - 0.1 < entropy(made.steps) < bits + 0.05
    assert (made.scales == made.scales[0]).all() and made.scales.shape == (16, 2048)
    wide = np.abs(weights).max(axis=0) / 127  # no step is narrower than the largest weight allows
    units = np.unique(np.round(made.scales[0] / (1 if even else weights.std(axis=0)), 5)[made.scales[0] > 1.01 * wide])
    assert len(units) == 1


def test_outliers_cost_coded_steps_less_than_blocks_of_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((512, 256)).astype(np.float32)
    weights[rng.integers(0, 512, 40), rng.integers(0, 256, 40)] *= 30
    coded, blocks = nearest(weights, Grid(8, 32, 5.25)), nearest(weights, Grid(5, 64))
    assert entropy(coded.steps) < 5.35
    off = [float(np.square(made.weights() - weights).mean()) for made in (coded, blocks)]
    assert off[0] < 0.5 * off[1]


def test_coded_weights_of_which_none_differs_from_0() -> None:
    made = nearest(np.zeros((64, 8), np.float32), Grid(8, 0, 4.0))
    assert not made.steps.any() and (made.scales == 1).all()


def test_a_hessian_adds_up_and_refuses_what_is_no_number() -> None:
    x, _ = drawn(100, 32)
    np.testing.assert_allclose(hessian(x[60:], hessian(x[:60])), x.T.astype(np.float64) @ x, rtol=1e-4, atol=1e-2)
    x[5, 5] = np.nan
    with pytest.raises(BadInput, match="not numbers"):
        hessian(x)
