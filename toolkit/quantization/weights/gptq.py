"""Rounding that makes up for itself: GPTQ (Frantar et al. 2022, arXiv:2210.17323).

Rounding to nearest looks at each weight alone. What counts is the product with the inputs that really come. So the
weights of an output are rounded after one another, and what each loses is added to those that are still to be rounded,
as far as the inputs of the two go together: by the inverse of the Hessian of the squared error, X^T X. Inputs that
are largest come first. Scales are fixed before, so that the order is free of blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgekit.common.lazy import Doubles, Floats, NDArray, np
from edgekit.errors import BadInput

#: The places of weights in groups, [G] each: the group, and the input.
Places: TypeAlias = "tuple[NDArray[np.intp], NDArray[np.intp]]"
Snap: TypeAlias = "Callable[[Places, Floats], Floats]"

#: What is added to the diagonal, of its mean; ten times more where that is not enough.
_DAMPING, _MOST = 0.01, 1e3
#: Share of its mean that is added to a Hessian's diagonal where there are as many rows as inputs, and the less, the
#: more rows there are. In 4 bits, with 290 rows of whisper-base's decoder, those in its layers moved the next token of
#: other speakers by 0.0052 nats (KL divergence); without this by 0.0086, to nearest by 0.0096. In 8 bits, with 862
#: rows, MiniLM's least cosine on 200 sentences is 0.9953; without this 0.9946. The more rows, the less it changes.
_SHRINKAGE = 0.5
#: Inputs that are rounded before what they lost reaches those behind them.
_STRIPE = 128
#: Weights, at least so many of whole outputs, that tell how many bits steps take when they are coded; and halvings
#: of the step that is sought.
_SAMPLED, _HALVINGS = 1 << 18, 20
#: Ranges that are tried below 8 bits, of the largest weight: to cut a few short may cost less than a coarser step.
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8)


@dataclass(frozen=True)
class Grid:
    """What weights are rounded to.

    Attributes:
        bits: of a step, 2 to 8. block: how many inputs of an output share a scale; 0: all of them.
        coded: bits a weight that steps take on average in a file that is coded by how frequent they are (their
            entropy). Steps are as wide as that asks for, but not narrower than the largest weight of an output allows.
            0: the largest weight has the largest step. At the same bytes the error is less, by a bit and more where
            weights have outliers: these cost many bits each, instead of a wider step for all (entropy-coded scalar
            quantization, Gish & Pierce 1968; for networks Wiedemann et al. 2020, arXiv:1907.11900).
        even: with `coded`, one scale for all outputs; else they are in the ratio of the outputs' standard deviations.
    """

    bits: int
    block: int = 0
    coded: float = 0.0
    even: bool = False

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the largest step. With fewer than 8 bits the one that has no counterpart is used, too."""
        half = 1 << (self.bits - 1)
        return (-half if self.bits < 8 else 1 - half), half - 1


@dataclass(frozen=True)
class Rounded:
    """Weights on a grid: steps int8 [K, N] around 0; scales float32 [ceil(K / block), N], below 8 bits also
    negative."""

    steps: NDArray[np.int8]
    scales: Floats
    grid: Grid

    def weights(self) -> Floats:
        """Float32 [K, N]."""
        return self.steps * _spread(self.scales, len(self.steps), self.grid)


@dataclass(frozen=True)
class Inverse:
    """Of Hessians: the order of their inputs [G, K], the largest first, and upper Cholesky factors of their damped
    inverses in this order, [G, K, K].
    """

    order: NDArray[np.intp]
    factor: Floats


def hessian(inputs: Floats, before: Doubles | None = None) -> Doubles:
    """X^T X of recorded inputs [rows, K], added to that of those `before`; float64 [K, K].

    Raises:
        BadInput: a value is not finite.
    """
    check_finite(inputs)
    own: Doubles = (inputs.T @ inputs).astype(np.float64)
    return own if before is None else before + own


def check_finite(inputs: Floats) -> None:
    """Raise BadInput where recorded inputs hold values that are no numbers."""
    if not np.isfinite(inputs).all():
        raise BadInput(
            "recorded inputs of a layer hold values that are not numbers, so nothing can be rounded by them.",
            hint="Look for broken samples below --calibration DIR, or leave it away.",
        )


def shrink_hessian(curvature: Doubles, rows: int = 0, share: float = _SHRINKAGE) -> Doubles:
    """Hessians [..., K, K] with `share` of their mean added to the diagonal, times inputs for each of the `rows` that
    were recorded (0: as if there were as many rows as inputs).

    What few rows do not show is not nothing (shrinkage: Ledoit & Wolf 2004).
    """
    count = curvature.shape[-1]
    mean = np.diagonal(curvature, axis1=-2, axis2=-1).mean(axis=-1)[..., None, None]
    own: Doubles = curvature + share * (count / rows if rows else 1.0) * mean * np.eye(count)
    return own


def nearest(weights: Floats, grid: Grid, importance: Doubles | None = None) -> Rounded:
    """Each weight [K, N] to the nearest step; scales by the least squared error, times `importance` [K] of inputs."""
    scales = _scales(weights, grid, importance)
    least, most = grid.ends
    steps = np.rint(weights / _spread(scales, len(weights), grid)).clip(least, most)
    return Rounded(steps.astype(np.int8), scales, grid)


def round_by_gptq(weights: Floats, curvature: Doubles, grid: Grid) -> Rounded:
    """Weights [K, N] rounded by GPTQ.

    Inputs that were always 0 are rounded to nearest, as is everything where all were, or where that loses less.

    Args:
        curvature: `hessian` of the product's inputs, [K, K]; it may have any rank.
    """
    near = nearest(weights, grid, np.diag(curvature))
    wide = np.broadcast_to(_spread(near.scales, len(weights), grid), weights.shape)[None]
    steps, prepared = np.empty((1, *weights.shape), np.int8), inverse(curvature[None])

    def snap(at: Places, values: Floats) -> Floats:
        steps[at] = step = np.rint(values / wide[at]).clip(*grid.ends)
        own: Floats = step * wide[at]
        return own

    if prepared is None:
        return near
    run_gptq(weights[None], prepared, snap)
    made = Rounded(steps[0], near.scales, grid)
    return made if loss(made, weights, curvature) < loss(near, weights, curvature) else near


def inverse(curvature: Doubles) -> Inverse | None:
    """What `run_gptq` needs of Hessians [G, K, K], for any number of weights; None where nothing was recorded."""
    order = np.argsort(-np.diagonal(curvature, axis1=1, axis2=2), axis=1, kind="stable")
    groups = np.arange(len(curvature))
    factor = _factor(curvature[groups[:, None, None], order[:, :, None], order[:, None]])
    return None if factor is None else Inverse(order, factor)


def run_gptq(weights: Floats, prepared: Inverse, snap: Snap) -> Floats:
    """What GPTQ makes of weights on any grid, [G, K, N].

    Args:
        snap: (places of an input in every group, values [G, N]) -> the grid's values for them. It may depend on the
            place, and on nothing that was rounded before.
    """
    order, factor, groups = prepared.order, prepared.factor, np.arange(len(weights))
    count, made = weights.shape[1], np.empty(weights.shape, np.float32)
    left = weights[groups[:, None], order].astype(np.float32)
    for start in range(0, count, _STRIPE):
        end = min(start + _STRIPE, count)
        lost = np.empty((len(weights), end - start, weights.shape[2]), np.float32)
        for i in range(start, end):
            at = groups, order[:, i]
            own = made[at] = snap(at, left[:, i])
            lost[:, i - start] = (left[:, i] - own) / factor[:, i, i, None]
            left[:, i + 1 : end] -= factor[:, i, i + 1 : end, None] * lost[:, None, i - start]
        left[:, end:] -= factor[:, start:end, end:].swapaxes(1, 2) @ lost
    return made


def descend_coordinates(made: Floats, weights: Floats, curvature: Floats, snap: Snap) -> Floats:
    """Rounded weights [1, K, N], each of them moved to the grid's value that is best beside all the others, once.

    Coordinate descent on the squared error, which never grows (QuantEase, Behdin et al. 2023, arXiv:2309.01885).

    Args:
        curvature: float32 [K, K]; inputs that were always 0 are left alone. snap: as in `run_gptq`.
    """
    count, made, own = len(curvature), made.copy(), np.diagonal(curvature)
    slope = curvature @ (made - weights)[0]
    for start in range(0, count, _STRIPE):
        end = min(start + _STRIPE, count)
        moved, near = np.zeros((end - start, weights.shape[2]), np.float32), slope[start:end].copy()
        for i in (i for i in range(start, end) if own[i] > 0):
            at = np.zeros(1, np.intp), np.array([i])
            before = made[0, i].copy()
            made[0, i] = snap(at, (before - near[i - start] / own[i])[None])[0]
            moved[i - start] = made[0, i] - before
            near[i - start + 1 :] += curvature[i + 1 : end, i, None] * moved[i - start]
        slope += curvature[:, start:end] @ moved
    return made


def loss(made: Rounded, weights: Floats, curvature: Doubles) -> float:
    """Squared error of the product on the recorded inputs."""
    off = made.weights() - weights
    return float(np.vdot(off, curvature.astype(np.float32) @ off))


def _factor(curvature: Doubles) -> Floats | None:
    """The upper Cholesky factors of damped inverses, [G, K, K]; None where nothing was recorded, or one has none."""
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    mean, damping = diagonal.mean(axis=1, keepdims=True), _DAMPING
    mean = np.where(mean > 0, mean, mean.mean())
    eye = np.eye(curvature.shape[1])
    while mean.max() > 0 and damping <= _MOST:
        damped = curvature + eye * np.where(diagonal > 0, damping * mean, mean)[:, :, None]
        try:
            # Of H in the opposite order, a lower factor; in this order it is an upper one: H = R R^T. So its inverse is
            # R^-T R^-1, and R^-1 what is wanted. H itself is never inverted.
            upper = np.linalg.cholesky(damped[:, ::-1, ::-1])[:, ::-1, ::-1]
            return _invert_triangular(upper).astype(np.float32)
        except np.linalg.LinAlgError:
            damping *= 10
    return None


def _invert_triangular(upper: Doubles) -> Doubles:
    """The inverses of upper triangular matrices, [G, K, K], by halves."""
    count = upper.shape[-1]
    if count <= _STRIPE:
        return np.linalg.inv(upper).astype(np.float64, copy=False)
    half, made = count // 2, np.zeros_like(upper)
    first, last = made[:, :half, :half], made[:, half:, half:]
    first[:], last[:] = _invert_triangular(upper[:, :half, :half]), _invert_triangular(upper[:, half:, half:])
    made[:, :half, half:] = -first @ (upper[:, :half, half:] @ last)
    return made


def entropy(steps: NDArray[np.integer[Any]]) -> float:
    """Bits a step that a code by their frequencies takes; steps of any shape, from -128 to 127."""
    counts = np.bincount((np.asarray(steps, np.int16) + 128).ravel())
    shares = counts[counts > 0] / steps.size
    return float(-(shares * np.log2(shares)).sum())


def _coded_scales(weights: Floats, grid: Grid) -> Floats:
    """A scale for each output, [N]: the least at which steps take no more than the bits that `grid` says."""
    least, most = grid.ends
    floor = np.abs(weights).max(axis=0) / most
    unit = np.full(weights.shape[1], weights.std()) if grid.even else weights.std(axis=0)
    some = slice(None, None, max(weights.size // _SAMPLED, 1))
    narrow, wide = np.float64(1e-3), np.float64(1e2)
    for _ in range(_HALVINGS):
        middle = np.sqrt(narrow * wide)
        scales = np.maximum(unit[some] * middle, floor[some])
        taken = entropy(np.rint(weights[:, some] / np.where(scales, scales, 1)).clip(least, most).astype(np.int8))
        narrow, wide = (middle, wide) if taken > grid.coded else (narrow, middle)
    scales = np.maximum(unit * wide, floor)
    return np.where(scales, scales, 1).astype(np.float32)


def _scales(weights: Floats, grid: Grid, importance: Doubles | None) -> Floats:
    inputs, outputs = weights.shape
    block = grid.block or inputs
    blocks, (least, most) = -(-inputs // block), grid.ends
    if grid.coded:
        return np.tile(_coded_scales(weights, grid), (blocks, 1))
    padded = np.zeros((blocks * block, outputs), np.float32)
    padded[:inputs] = weights
    groups = padded.reshape(blocks, block, outputs)
    weight: NDArray[Any] = np.ones(blocks * block, np.float32)
    if importance is not None and importance.any():
        weight[:inputs] = importance / importance.max() + 1e-6
    peak = np.take_along_axis(groups, np.abs(groups).argmax(axis=1)[:, None], axis=1)[:, 0]
    whole = peak / least if grid.bits < 8 else np.abs(peak) / most
    whole = np.where(whole == 0, np.float32(1), whole).astype(np.float32)
    best: NDArray[Any] = whole
    errors = np.full(whole.shape, np.inf, np.float32)
    for share in _SHARES if grid.bits < 8 else _SHARES[:1]:
        tried = whole * np.float32(share)
        off = np.rint(groups / tried[:, None]).clip(least, most) * tried[:, None] - groups
        error = np.einsum("bko,bko,bk->bo", off, off, weight.reshape(blocks, block))
        best = np.where(error < errors, tried, best)
        errors = np.minimum(error, errors)
    return best


def _spread(scales: Floats, inputs: int, grid: Grid) -> Floats:
    """A scale for every weight: [K, N]."""
    return scales if not grid.block else np.repeat(scales, grid.block, axis=0)[:inputs]
