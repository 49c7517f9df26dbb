"""Matrices rounded by their inputs: they lose less than to nearest, and are what ggml reads from their bytes."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cases.ggml import dequantized
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.exporters.gguf.rounding.matrices import Curvature, nearest, round_matrix
from edgekit.formats.gguf.blocks import BLOCKS

INPUTS = 256


def drawn(rows: int = 1500, outputs: int = 20) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs that go together, some of them large, and weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, INPUTS // 4)) @ rng.standard_normal((INPUTS // 4, INPUTS))
    x = (x + rng.standard_normal((rows, INPUTS))) * rng.lognormal(0, 1, INPUTS)
    return x.astype(np.float32), rng.standard_normal((outputs, INPUTS)).astype(np.float32)


def hessian(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x.T @ x / np.float32(max(1, len(x)))


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("blocks", [1, 2])
def test_they_lose_less_than_to_nearest_and_are_what_is_read(kind: str, blocks: int) -> None:
    x, weights = drawn()
    pieces = np.split(np.arange(INPUTS), blocks)
    curvature = Curvature.of([hessian(x[:, piece]) for piece in pieces])
    made, near = (function(kind, weights, curvature) for function in (round_matrix, nearest))
    for one in (made, near):
        assert (dequantized(one.bytes(), kind) == one.weights()).all()
    errors = [sum(np.square(x[:, p] @ (one.weights() - weights)[:, p].T).sum() for p in pieces) for one in (made, near)]
    assert errors[0] < 0.75 * errors[1]
    assert curvature.losses((made.weights() - weights).T).sum() * len(x) == pytest.approx(errors[0], rel=0.02)


def test_more_bits_lose_less() -> None:
    x, weights = drawn()
    curvature = Curvature.of([hessian(x)])
    by_bits = [
        curvature.losses((round_matrix(kind, weights, curvature).weights() - weights).T).sum()
        for kind in ("q8_0", "q6_k", "q5_k", "q4_k")
    ]
    assert by_bits == sorted(by_bits)
    assert by_bits[0] < 0.2 * by_bits[1]


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("kind", ["q4_0", "q5_1", "q4_k", "iq4_xs"])
def test_few_inputs_or_none_leave_weights_near(kind: str, rows: int) -> None:
    """A Hessian of rank 3 of 256, or of nothing."""
    x, weights = drawn()
    curvature = Curvature.of([hessian(x[:rows])])
    made = round_matrix(kind, weights, curvature).weights()
    assert np.linalg.norm(made - weights) < 0.2 * np.linalg.norm(weights)
    near = nearest(kind, weights, curvature).weights()
    if rows:
        assert np.linalg.norm(x[:rows] @ (made - weights).T) <= np.linalg.norm(x[:rows] @ (near - weights).T)
    else:
        assert (made == near).all()


@pytest.mark.parametrize("kind", ["q4_0", "q4_1", "q6_k", "q4_k", "iq4_nl"])
def test_dead_channels_and_weights_of_zero(kind: str) -> None:
    x, weights = drawn()
    x[:, [0, 40, 41]] = 0
    weights[3] = 0
    weights[5, :32] = 0
    made = round_matrix(kind, weights, Curvature.of([hessian(x)])).weights()
    assert np.isfinite(made).all()
    assert np.abs(made[3]).max() < 1e-4
    assert np.linalg.norm(made[:, 40] - weights[:, 40]) < 0.5 * np.linalg.norm(weights[:, 40])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
@pytest.mark.parametrize("kind", ["q4_0", "q4_1", "q4_k", "q6_k"])
def test_weights_that_are_no_numbers_are_refused(kind: str, bad: float) -> None:
    x, weights = drawn()
    weights[2, 7] = bad
    with pytest.raises(BadInput, match="not finite, or too large"):
        round_matrix(kind, weights, Curvature.of([hessian(x)]))


def test_an_embedding_that_is_looked_up_keeps_its_rows_nearer() -> None:
    """Its products may lose a little more for it."""
    x, weights = drawn(rows=60)
    by_products, by_both = (Curvature.of([hessian(x)], looked_up=both) for both in (False, True))
    alone, both = (round_matrix("q4_0", weights, one).weights() - weights for one in (by_products, by_both))
    assert np.linalg.norm(both) < np.linalg.norm(alone)
    assert by_products.losses(both.T).sum() > by_products.losses(alone.T).sum()


@pytest.mark.parametrize("rows", [300, 600])
def test_what_few_tokens_show_is_not_trusted_whole(rows: int) -> None:
    """On other inputs than the recorded ones, a shrunk Hessian loses less; on the recorded ones more. Tokens are of
    different size, and directions too, as in language models.
    """
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.standard_normal((INPUTS, INPUTS)))
    x = (rng.standard_normal((20 * rows, INPUTS)) / np.sqrt(np.arange(1, INPUTS + 1))) @ turned
    x = (x * rng.lognormal(0, 0.7, (len(x), 1))).astype(np.float32)
    weights = rng.standard_normal((20, INPUTS)).astype(np.float32)
    recorded, other = hessian(x[:rows]), Curvature.of([hessian(x[rows:])])
    made = [round_matrix("q4_k", weights, Curvature.of([recorded], own)).weights() - weights for own in (rows, 0)]
    shrunk, whole = (float(other.losses(off.T).sum()) for off in made)
    assert shrunk < 0.95 * whole
    shrunk, whole = (float(Curvature.of([recorded]).losses(off.T).sum()) for off in made)
    assert shrunk > whole
