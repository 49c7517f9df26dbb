"""Palettes: the few values that weights may have, and the nearest of them (k-means in one dimension, Lloyd 1982)."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.common.lazy import Floats, np

#: Rounds of k-means, which seldom changes anything after twenty.
_ROUNDS = 30


@dataclass(frozen=True)
class Palette:
    """What weights are rounded to.

    Attributes:
        bits: a palette has 2 ** bits values. outputs: that share one; 0: all of a layer.
    """

    bits: int
    outputs: int = 0


def palettes(weights: Floats, importance: Floats, palette: Palette) -> Floats:
    """The palette of every output, its values in order, [N, 2 ** bits].

    Args:
        weights: [N, K]; N is a multiple of the outputs that share a palette. importance: of each squared error, [N, K].
    """
    share = palette.outputs or len(weights)
    books = [
        _means(weights[at : at + share].reshape(-1), importance[at : at + share].reshape(-1), 1 << palette.bits)
        for at in range(0, len(weights), share)
    ]
    return np.repeat(np.stack(books), share, axis=0)


def _means(values: Floats, importance: Floats, count: int) -> Floats:
    """Values with which the sum of squared errors, times their importance, is small, [count] in order."""
    order = np.argsort(values)
    ordered, weight = values[order].astype(np.float64), importance[order].astype(np.float64) + 1e-12
    mass = np.concatenate([[0.0], np.cumsum(weight)])
    moment = np.concatenate([[0.0], np.cumsum(weight * ordered)])
    # Between equal shares, which leave out the tails, and equal steps, which are all for them.
    shares = np.interp((np.arange(count) + 0.5) / count * mass[-1], mass[1:], ordered)
    centres = (shares + np.linspace(ordered[0], ordered[-1], count)) / 2
    for _ in range(_ROUNDS):
        ends = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        edges = np.concatenate([[0], ends, [len(ordered)]])
        held = mass[edges[1:]] - mass[edges[:-1]]
        moved = np.divide(moment[edges[1:]] - moment[edges[:-1]], held, out=centres.copy(), where=held > 0)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.sort(centres).astype(np.float32)


def nearest_values(values: Floats, books: Floats) -> Floats:
    """The value of each output's palette that is nearest; values [..., N], palettes [..., N, count] in order."""
    places = (values[..., None] > (books[..., 1:] + books[..., :-1]) / 2).sum(axis=-1)
    found: Floats = np.take_along_axis(np.broadcast_to(books, (*values.shape, books.shape[-1])), places[..., None], -1)
    return found[..., 0]
