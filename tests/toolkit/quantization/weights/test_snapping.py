"""Weights on a grid of int8: whatever rounds them again finds the same grid, and layers lose less than by nearest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.quantization.weights.snapping import Inputs, Window, half, snap_to_grid

#: (window, groups, weights as torch has them), of an input with 8 channels.
CONVOLUTIONS = {
    "dense": (Window((3, 3), (2, 2), (1, 1, 1, 1)), 1, (12, 8, 3, 3)),
    "pointwise": (Window(), 1, (12, 8, 1, 1)),
    "depthwise": (Window((3, 3), (1, 1), (1, 1, 1, 1)), 8, (16, 1, 3, 3)),
    "grouped, dilated, padded at one side": (Window((3, 2), (1, 2), (0, 1, 2, 0), (2, 1)), 2, (12, 4, 3, 2)),
}


def images(count: int, seed: int) -> NDArray[np.float32]:
    """Channels-last images whose channels and neighbours go together, and whose mean is not 0."""
    rng = np.random.default_rng(seed)
    small = rng.standard_normal((count, 5, 5, 3)) @ np.random.default_rng(0).standard_normal((3, 8))
    return np.maximum(small.repeat(4, 1).repeat(4, 2) + 0.2 * rng.standard_normal((count, 20, 20, 8)), -0.5).astype(
        np.float32
    )


def convolved(x: NDArray[np.float32], weights: NDArray[np.float32], window: Window, groups: int) -> NDArray[np.float32]:
    """[n, outputs, height, width] for weights [outputs, height, width, inputs]."""
    top, left, bottom, right = window.pads
    padded = torch.nn.functional.pad(torch.from_numpy(x).movedim(-1, 1), (left, right, top, bottom))
    kernel = torch.from_numpy(weights).movedim(-1, 1)
    out: NDArray[np.float32] = torch.nn.functional.conv2d(
        padded, kernel, None, window.strides, 0, window.dilations, groups
    ).numpy()
    return out


def again(weights: NDArray[np.float32], per_channel: bool) -> NDArray[np.float32]:
    """As quantizers round: by the largest weight of an output, or of all."""
    axes = tuple(range(1, weights.ndim)) if per_channel else None
    scales = np.abs(weights).max(axis=axes, keepdims=True) / 127
    out: NDArray[np.float32] = np.rint(weights / np.where(scales == 0, 1, scales)) * scales
    return out


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_loses_less(name: str, per_channel: bool) -> None:
    window, groups, shape = CONVOLUTIONS[name]
    weights = np.moveaxis(np.random.default_rng(1).standard_normal(shape).astype(np.float32) / 8, 1, -1)
    weights[0] *= 40  # all others have few digits where one scale serves them all
    known, fresh = images(4, seed=2), images(4, seed=3)
    inputs = Inputs(window, groups)
    for image in known:
        inputs.see(image[None], len(known))
    made = snap_to_grid(weights, inputs, per_channel=per_channel)
    np.testing.assert_allclose(again(made.weights, per_channel), made.weights, rtol=1e-6)
    truth = convolved(fresh, weights, window, groups)
    errors = {
        "nearest": convolved(fresh, again(weights, per_channel), window, groups) - truth,
        "snapped": convolved(fresh, made.weights, window, groups) + made.shift[:, None, None] - truth,
    }
    lengths = {of: np.linalg.norm(error) for of, error in errors.items()}
    assert lengths["snapped"] < 0.8 * lengths["nearest"]
    assert np.abs(errors["snapped"].mean(axis=(0, 2, 3))).max() < np.abs(errors["nearest"].mean(axis=(0, 2, 3))).max()


def test_a_convolution_sees_what_torch_unfolds() -> None:
    """The curvature of every pixel's surroundings, in the order of the weights."""
    window, groups, _ = CONVOLUTIONS["dense"]
    x = images(1, seed=4)
    inputs = Inputs(window, groups)
    inputs.see(x, 1)
    rows = torch.nn.functional.unfold(torch.from_numpy(x).movedim(-1, 1), (3, 3), 1, 1, 2)[0].T.numpy()
    rows = rows.reshape(len(rows), 8, 9).swapaxes(1, 2).reshape(len(rows), 72).astype(np.float64)
    np.testing.assert_allclose(inputs.curvature(centred=False)[0], rows.T @ rows, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(inputs.mean[0], rows.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 200])
def test_few_or_constant_inputs_still_give_weights_that_work(rows: int) -> None:
    weights = np.random.default_rng(1).standard_normal((6, 32)).astype(np.float32)
    weights[3] = 0  # a dead output
    inputs = Inputs()
    if rows:
        inputs.see(np.full((rows, 32), 0.25, np.float32), 1)
    made = snap_to_grid(weights, inputs)
    assert np.isfinite(made.weights).all()
    assert not made.weights[3].any()
    assert np.abs(made.weights - weights).max() <= np.abs(weights).max() / 127
    moved = (made.weights - weights) @ np.full(32, 0.25 if rows else 0, np.float32)
    np.testing.assert_allclose(moved + made.shift, 0, atol=1e-5)


def test_inputs_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(BadInput, match="not numbers"):
        Inputs().see(np.array([[1, np.nan]], np.float32), 1)


def test_half_precision_scales_are_never_smaller() -> None:
    scales = np.random.default_rng(0).random(1000) * 1e-3
    assert (half(scales) >= scales).all()
    assert (half(scales) == half(scales).astype(np.float16)).all()
    assert half(np.zeros(1))[0] == 1


def test_a_very_wide_layer_is_rounded_to_nearest_and_its_mean_is_kept() -> None:
    rng = np.random.default_rng(0)
    weights, x = rng.standard_normal((3, 2100)).astype(np.float32), rng.random((600, 2100)).astype(np.float32)
    inputs = Inputs()
    inputs.see(x, 1)
    made = snap_to_grid(weights, inputs)
    steps = np.abs(weights).max(axis=1, keepdims=True) / 127
    assert (np.abs(made.weights - weights) <= 0.51 * steps).all()
    np.testing.assert_allclose((x @ (made.weights - weights).T).mean(axis=0) + made.shift, 0, atol=1e-3)
