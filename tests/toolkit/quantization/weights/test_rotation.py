"""Rotations of a residual stream: orthogonal, blind to the mean, and none of a layer's results changes."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.weights.rotation import reading, rotation, writing


@pytest.mark.parametrize("width", [2, 3, 64, 96, 257])
def test_it_is_orthogonal_and_keeps_the_vector_of_ones(width: int) -> None:
    turn = rotation(width)
    np.testing.assert_allclose(turn @ turn.T, np.eye(width), atol=1e-12)
    np.testing.assert_allclose(turn.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(turn.sum(axis=0), 1, atol=1e-12)
    assert (turn == rotation(width)).all()


def test_it_spreads_a_large_channel() -> None:
    stream = np.random.default_rng(0).standard_normal((50, 256)).astype(np.float32)
    stream[:, 9] += 300
    turned = writing(stream, rotation(256))
    assert np.abs(turned).max() < 0.3 * np.abs(stream).max()


@pytest.mark.parametrize("mean", [True, False])
def test_a_layer_behind_a_norm_computes_the_same(mean: bool) -> None:
    rng = np.random.default_rng(1)
    stream, weights = rng.standard_normal((20, 64)) * 7 + 2, rng.standard_normal((64, 30)).astype(np.float32)
    gain, shift = (rng.standard_normal(64).astype(np.float32) for _ in range(2))

    def norm(x: np.ndarray) -> np.ndarray:
        x = x - x.mean(axis=1, keepdims=True) if mean else x
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)

    turn = rotation(64)
    turned, bias = reading(weights, gain, shift, turn)
    expected = (norm(stream) * gain + shift) @ weights
    np.testing.assert_allclose(norm(writing(stream, turn)) @ turned + bias, expected, rtol=1e-5, atol=1e-4)
