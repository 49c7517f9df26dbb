"""Constants of a .tflite that are stored without their zeros, as dense arrays.

The form is TACO's (Kjolstad et al. 2017), as TensorFlow Lite writes it: dimensions in an order of traversal, each dense
or compressed (segments and indices), and perhaps blocks as further dimensions. All of it comes from a file, and is
checked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput


@dataclass(frozen=True)
class Dimension:
    """A dimension in the order of traversal: `size` of a dense one, else where its entries begin and which they are."""

    size: int
    segments: tuple[int, ...] = ()
    indices: tuple[int, ...] = ()
    compressed: bool = False


def dense(
    values: NDArray[Any],
    shape: tuple[int, ...],
    order: Sequence[int],
    blocks: Sequence[int],
    dimensions: Sequence[Dimension],
) -> NDArray[Any]:
    """The array of `shape` that `values`, in the order of traversal, stand for.

    Args:
        order: of the dimensions of the shape, and behind them of the blocks. blocks: the dimension that each block
            divides.

    Raises:
        BadInput: sizes, segments or indices do not fit.
    """
    rank = len(shape)
    if (
        sorted(order) != list(range(rank + len(blocks)))
        or len(dimensions) != len(order)
        or len(set(blocks)) != len(blocks)
    ):
        raise _damage_error("dimensions")
    sizes = [dimensions[list(order).index(rank + i)].size for i in range(len(blocks))]
    if any(not 0 <= axis < rank or size < 1 or shape[axis] % size for axis, size in zip(blocks, sizes, strict=True)):
        raise _damage_error("blocks")
    extents = [
        size // math.prod(s for axis, s in zip(blocks, sizes, strict=True) if axis == i) for i, size in enumerate(shape)
    ]
    places = _places([*extents, *sizes], order, dimensions)
    if len(places[0]) != len(values):
        raise _damage_error("values")
    for i, (axis, size) in enumerate(zip(blocks, sizes, strict=True)):
        places[axis] = places[axis] * size + places[rank + i]
    full = np.zeros(shape, values.dtype)
    full[tuple(places[:rank])] = values
    return full


def _places(extents: Sequence[int], order: Sequence[int], dimensions: Sequence[Dimension]) -> list[NDArray[Any]]:
    """For every stored value its index along each dimension of shape and blocks."""
    places: list[NDArray[Any]] = [np.zeros(1, np.int64) for _ in order]
    position = np.zeros(1, np.int64)
    for axis, dimension in zip(order, dimensions, strict=True):
        if dimension.compressed:
            segments, indices = (np.asarray(side, np.int64) for side in (dimension.segments, dimension.indices))
            if len(segments) != int(position.max(initial=-1)) + 2 or segments[0] != 0 or segments[-1] != len(indices):
                raise _damage_error("segments")
            counts = np.diff(segments)
            if counts.min(initial=0) < 0 or (len(indices) and not 0 <= indices.min() <= indices.max() < extents[axis]):
                raise _damage_error("indices")
            parents = np.repeat(np.arange(len(position)), counts[position])
            own, position = indices, np.arange(len(indices))
        else:
            if dimension.size != extents[axis] or len(position) * dimension.size > math.prod(extents):
                raise _damage_error("sizes")
            parents = np.repeat(np.arange(len(position)), dimension.size)
            own = np.tile(np.arange(dimension.size), len(position))
            position = np.repeat(position, dimension.size) * dimension.size + own
        places = [place[parents] for place in places]
        places[axis] = own
    return places


def _damage_error(what: str) -> BadInput:
    return BadInput(f"the .tflite is damaged: the {what} of a sparse tensor do not fit.")
