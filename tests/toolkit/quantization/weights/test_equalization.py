"""Equalization: it helps where few channels are large, and is left alone where it would not."""

from __future__ import annotations

import numpy as np

from edgekit.quantization.weights.equalization import equalizing_factors


def test_a_few_large_channels_are_divided() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((64, 48)).astype(np.float32)
    inputs[:, 7] *= 60
    weights = rng.standard_normal((48, 32)).astype(np.float32)
    by = equalizing_factors(inputs, weights)
    assert by is not None
    assert by.argmax() == 7
    np.testing.assert_allclose((inputs / by) @ (weights * by[:, None]), inputs @ weights, rtol=1e-3, atol=1e-3)


def test_channels_that_are_alike_stay() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((64, 48)).astype(np.float32)
    assert equalizing_factors(inputs, rng.standard_normal((48, 32)).astype(np.float32)) is None


def test_a_long_row_does_not_count_more_than_others() -> None:
    """One row in a hundred with one huge value: dividing its channel would help that row and harm all others."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((100, 48)).astype(np.float32)
    inputs[0, 3] = 5000
    by = equalizing_factors(inputs, rng.standard_normal((48, 32)).astype(np.float32))
    assert by is None or by.max() < 5000
