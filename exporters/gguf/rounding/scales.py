"""Scales of blocks by least squares: for every block the scale, and the offset, with which rounding to nearest loses
least, each input weighed by its importance. Several ranges are tried; each is followed by a regression of the weights
on their steps. What is returned is what the file will hold: float16, and multipliers of few bits.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.errors import BadInput
from edgekit.formats.gguf.blocks import Block, Scales

Halves: TypeAlias = "NDArray[np.float16]"

#: Ranges that are tried, of the largest weight; and what is cut off below and above, of the whole range.
_SHARES = (1.1, 1.0, 0.95, 0.9, 0.85, 0.8)
_CUTS = ((0.0, 0.0), (0.04, 0.04), (0.08, 0.08), (0.0, 0.08), (0.08, 0.0))
#: With so many levels nothing is gained by another range.
_MANY = 128
#: Instead of 0, by which nothing can be divided: a number that float16 has.
_LEAST = np.float32(1e-7)


def steps(block: Block, values: Floats) -> NDArray[np.uint8]:
    """The nearest step of weights that are divided by their scale, without their offset."""
    least, count = block.levels[0], len(block.levels)
    if block.levels[-1] - least == count - 1:
        return (np.rint(values) - least).clip(0, count - 1).astype(np.uint8)
    levels = np.asarray(block.levels, np.float32)
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values).astype(np.uint8)


def fit_scales(block: Block, weights: Floats, importance: Floats) -> Scales:
    """The scales of `weights` [K, N], K inputs of N outputs.

    Args:
        importance: [K], not negative.

    Raises:
        BadInput: a weight is not finite, or beyond float16.
    """
    inputs, outputs = weights.shape
    groups = weights.reshape(-1, block.part, outputs)
    shares = importance.reshape(-1, block.part, 1) / max(float(importance.mean()), 1e-30) + np.float32(1e-4)
    shares = shares.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        scales = _affine(block, groups, shares) if block.affine else (_symmetric(block, groups, shares), None)
        stored = _quantize_scales(block, scales, inputs // block.size)
    if not all(np.isfinite(part).all() for part in (stored.unit, stored.low) if part is not None):
        raise BadInput("weights are not finite, or too large for the scales of a .gguf, which are float16.")
    return stored


def _symmetric(block: Block, groups: Floats, shares: Floats) -> Floats:
    levels = np.asarray(block.levels, np.float32)
    peak = np.take_along_axis(groups, np.abs(groups).argmax(axis=1)[:, None], axis=1)[:, 0]
    whole = peak / levels[0] if levels[0] != -levels[-1] else np.abs(peak) / levels[-1]
    best, errors = whole, np.full(whole.shape, np.inf, np.float32)
    for share in _SHARES if len(levels) < _MANY else (1.0,):
        own = levels[steps(block, groups / _sound(whole * np.float32(share))[:, None])]
        weighed = shares * own
        scale = _sound((weighed * groups).sum(axis=1) / np.maximum((weighed * own).sum(axis=1), 1e-30))
        own = levels[steps(block, groups / scale[:, None])] * scale[:, None] - groups
        error = (shares * own * own).sum(axis=1)
        best, errors = np.where(error < errors, scale, best), np.minimum(error, errors)
    own_best: Floats = best
    return own_best


def _affine(block: Block, groups: Floats, shares: Floats) -> tuple[Floats, Floats]:
    least, most = groups.min(axis=1), groups.max(axis=1)
    if block.most:  # their offsets are subtracted, and never below 0
        least = np.minimum(least, 0)
    span = np.maximum(most - least, _LEAST)
    total, top = shares.sum(axis=1), np.float32(len(block.levels) - 1)
    best, lows = span / top, least
    errors = np.full(best.shape, np.inf, np.float32)
    for below, above in _CUTS:
        low = least + np.float32(below) * span
        scale = span * np.float32(1 - below - above) / top
        for _ in range(2):
            scale, low = _regress_affine(block, groups, shares, total, scale, low)
        off = steps(block, (groups - low[:, None]) / scale[:, None]) * scale[:, None] + low[:, None] - groups
        error = (shares * off * off).sum(axis=1)
        better = error < errors
        best, lows = np.where(better, scale, best), np.where(better, low, lows)
        errors = np.minimum(error, errors)
    return best, lows


def _regress_affine(
    block: Block, groups: Floats, shares: Floats, total: Floats, scale: Floats, low: Floats
) -> tuple[Floats, Floats]:
    """Scale and offset that are best for the steps that these give."""
    own = steps(block, (groups - low[:, None]) / scale[:, None]).astype(np.float32)
    weighed = shares * own
    x, y = weighed.sum(axis=1), (shares * groups).sum(axis=1)
    xx, xy = (weighed * own).sum(axis=1), (weighed * groups).sum(axis=1)
    spread = total * xx - x * x
    slope = (total * xy - x * y) / np.where(spread > 0, spread, 1)
    good = (spread > 0) & (slope > 0)
    slope, start = np.where(good, slope, scale), np.where(good, (y - slope * x) / total, low)
    if block.most:
        above = start > 0
        slope = np.where(above, np.maximum(xy / np.maximum(xx, 1e-30), _LEAST), slope)
        start = np.where(above, 0, start)
    return np.maximum(slope, _LEAST), start


def _quantize_scales(block: Block, scales: tuple[Floats, Floats | None], blocks: int) -> Scales:
    """Scales [parts, N] as the type holds them, for rows of `blocks` blocks."""
    scale, low = (None if part is None else part.T.reshape(part.shape[1], blocks, -1) for part in scales)
    assert scale is not None, "every type has scales"
    if not block.most:
        return Scales(_half(scale[:, :, 0]), None if low is None else low[:, :, 0].astype(np.float16))
    if low is None:
        peak = np.take_along_axis(scale, np.abs(scale).argmax(axis=2)[:, :, None], axis=2)
        unit = _half(peak[:, :, 0] / -(block.most + 1))
        many = np.rint(scale / unit.astype(np.float32)[:, :, None]).clip(-block.most - 1, block.most)
        return Scales(unit, None, np.where(many == 0, 1, many).astype(np.int8))
    unit, under = _half(scale.max(axis=2) / block.most), _half(-low.min(axis=2) / block.most)
    many = np.rint(scale / unit.astype(np.float32)[:, :, None]).clip(1, block.most)
    shifts = np.rint(-low / under.astype(np.float32)[:, :, None]).clip(0, block.most)
    return Scales(unit, under, many.astype(np.int8), shifts.astype(np.int8))


def _half(values: NDArray[np.floating[Any]]) -> Halves:
    return _sound(values.astype(np.float16).astype(np.float32)).astype(np.float16)


def _sound(values: Floats) -> Floats:
    return np.where(values == 0, _LEAST, values)
