"""Rounding by GPTQ: loses less than nearest on the recorded inputs, whatever these are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.quantization.gptq import Grid, hessian, loss, nearest, rounded

GRIDS = [Grid(8), Grid(8, 16), Grid(5, 16), Grid(4, 32)]


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
    made, near = rounded(weights, curvature, grid), nearest(weights, grid)
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
    made = rounded(weights, hessian(x) if rows else np.zeros((64, 64)), Grid(4, 32))
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
    made = rounded(weights, hessian(x), Grid(8))
    assert (made.steps[[7, 40]] == np.rint(weights / made.scales)[[7, 40]]).all()
    assert not made.steps[:, 3].any()
    assert np.isfinite(made.weights()).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_constant_inputs(grid: Grid) -> None:
    """All rows the same: only their sum matters, and it is met nearly exactly."""
    x, weights = np.ones((50, 64), np.float32), drawn(1, 64)[1]
    made, near = rounded(weights, hessian(x), grid), nearest(weights, grid)
    errors = [np.linalg.norm(x @ one.weights() - x @ weights) for one in (made, near)]
    assert errors[0] < 0.3 * errors[1]


def test_a_hessian_adds_up_and_refuses_what_is_no_number() -> None:
    x, _ = drawn(100, 32)
    np.testing.assert_allclose(hessian(x[60:], hessian(x[:60])), x.T.astype(np.float64) @ x, rtol=1e-4, atol=1e-2)
    x[5, 5] = np.nan
    with pytest.raises(BadInput, match="not numbers"):
        hessian(x)
