"""The channels that are multiplied in float beside a product in int8."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.weights.outliers import find_outliers


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """What is the largest of 256 inputs, and their weights for 32 outputs."""
    rng = np.random.default_rng(0)
    return rng.uniform(1, 2, 256).astype(np.float32), rng.uniform(-1, 1, (256, 32)).astype(np.float32)


def test_even_channels_have_no_outliers() -> None:
    assert find_outliers(*drawn()).size == 0


def test_a_large_input_and_a_large_weight_are_found() -> None:
    largest, weights = drawn()
    largest[7] = 60
    assert 7 in find_outliers(largest, weights)
    weights[200, 3] = 400  # one output alone would get steps as wide as its other weights
    found = find_outliers(largest, weights).tolist()
    assert {7, 200} <= set(found) and found == sorted(set(found))
    largest[7] = 1
    assert 200 in find_outliers(largest, weights) and 7 not in find_outliers(largest, weights)


def test_few_of_all_channels_are_outliers() -> None:
    """Where a quarter of the channels is large they are no outliers: what is left has steps as wide."""
    largest, weights = drawn()
    largest[::4] *= 40
    assert find_outliers(largest, weights).size == 0
    assert find_outliers(np.array([1.0, 90.0], np.float32), weights[:2]).size == 0


@pytest.mark.parametrize("value", [0.0, 1e-30])
def test_channels_that_are_all_alike(value: float) -> None:
    assert find_outliers(np.full(256, value, np.float32), np.full((256, 8), value, np.float32)).size == 0
