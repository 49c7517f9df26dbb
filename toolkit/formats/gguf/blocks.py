"""How ggml lays out quantized weights: steps on a grid, and the scales of their blocks (ggml-quants.c, ggml-common.h).

A weight is ``level(step) * scale + offset``. The types of 32 have a float16 scale a block, and some a float16 offset.
Those of 256 have blocks of 16 or 32 inside, whose scales and offsets are small integers times float16 units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.formats.gguf.types import GGML_TYPES

Bytes: TypeAlias = "NDArray[np.uint8]"

#: What the 16 steps of IQ4_NL and IQ4_XS stand for (``kvalues_iq4nl``).
_TABLE = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
_SIZES = {name: (weights, size) for name, weights, size in GGML_TYPES.values()}


@dataclass(frozen=True)
class Block:
    """A type's grid.

    Attributes:
        part: weights that share a scale. levels: what the steps stand for, ascending; the step is the place in it.
        affine: whether there are offsets. most: the largest multiplier of a unit, of either sign in types without
            offsets; 0 where scales are float16 themselves.
    """

    name: str
    part: int
    levels: tuple[int, ...]
    affine: bool = False
    most: int = 0

    @property
    def size(self) -> int:
        """Weights of a block; a row holds whole ones."""
        return _SIZES[self.name][0]

    @property
    def bits(self) -> float:
        """Bits a weight, scales included."""
        return 8 * _SIZES[self.name][1] / self.size


def _steps(least: int, count: int) -> tuple[int, ...]:
    return tuple(range(least, least + count))


BLOCKS = {
    block.name: block
    for block in (
        Block("q4_0", 32, _steps(-8, 16)),
        Block("q4_1", 32, _steps(0, 16), affine=True),
        Block("q5_0", 32, _steps(-16, 32)),
        Block("q5_1", 32, _steps(0, 32), affine=True),
        Block("q8_0", 32, _steps(-127, 255)),
        Block("iq4_nl", 32, _TABLE),
        Block("iq4_xs", 32, _TABLE, most=31),
        Block("q4_k", 32, _steps(0, 16), affine=True, most=63),
        Block("q5_k", 32, _steps(0, 32), affine=True, most=63),
        Block("q6_k", 16, _steps(-32, 64), most=127),
    )
}


@dataclass(frozen=True)
class Scales:
    """Scales as they are stored, for [rows, blocks] of weights.

    Attributes:
        unit: float16 [rows, blocks]. low: float16 [rows, blocks], offsets, or the units of what is subtracted.
        multipliers, shifts: integers [rows, blocks, parts], of `unit` and `low`; None where these stand for themselves.
    """

    unit: NDArray[np.float16]
    low: NDArray[np.float16] | None = None
    multipliers: NDArray[np.int8] | None = None
    shifts: NDArray[np.int8] | None = None

    def spread(self) -> tuple[Floats, Floats]:
        """(scale, offset) of every part of a row, float32 [rows, parts], as ggml computes them."""
        rows = len(self.unit)
        scale = self.unit.astype(np.float32)
        offset = np.zeros_like(scale) if self.low is None else self.low.astype(np.float32)
        if self.multipliers is not None:
            scale = scale[:, :, None] * self.multipliers.astype(np.float32)
            offset = offset[:, :, None] * (0 if self.shifts is None else -self.shifts.astype(np.float32))
            offset = np.broadcast_to(offset, scale.shape)
        return scale.reshape(rows, -1), offset.reshape(rows, -1)


def row_bytes(kind: str, weights: int) -> int:
    """Bytes of a row of so many weights."""
    block, size = _SIZES[kind]
    return weights // block * size


def pack(kind: str, steps: Bytes, scales: Scales) -> Bytes:
    """The bytes of rows: uint8 [rows, bytes].

    Args:
        kind: a name of `BLOCKS`. steps: [rows, weights], places in its levels.
    """
    block = BLOCKS[kind]
    rows, count = len(steps), steps.shape[1] // block.size
    parts = _PACKERS[kind](steps.reshape(rows, count, block.size), scales)
    return np.concatenate(parts, axis=2).reshape(rows, -1)


def _raw(values: NDArray[Any]) -> Bytes:
    """The bytes of one number a block: [rows, blocks, bytes]."""
    return np.ascontiguousarray(values)[..., None].view(np.uint8)


def _head(scales: Scales) -> list[Bytes]:
    return [_raw(scales.unit)] + ([] if scales.low is None else [_raw(scales.low)])


def _pairs(steps: Bytes, half: int) -> Bytes:
    """Four bits each: those of the second `half` above those of the first, in every group of both."""
    rows, blocks, size = steps.shape
    groups = (steps & 15).reshape(rows, blocks, -1, 2, half)
    return (groups[:, :, :, 0] | groups[:, :, :, 1] << 4).astype(np.uint8).reshape(rows, blocks, size // 2)


def _four(steps: Bytes, scales: Scales) -> list[Bytes]:
    return [*_head(scales), _pairs(steps, 16)]


def _five(steps: Bytes, scales: Scales) -> list[Bytes]:
    return [*_head(scales), np.packbits(steps >> 4, axis=2, bitorder="little"), _pairs(steps, 16)]


def _eight(steps: Bytes, scales: Scales) -> list[Bytes]:
    return [*_head(scales), (steps.astype(np.int16) - 127).astype(np.int8).view(np.uint8)]


def _table(steps: Bytes, scales: Scales) -> list[Bytes]:
    """IQ4_XS: the multipliers' lower four bits and upper two apart, 32 added to them."""
    assert scales.multipliers is not None, "a type of 256 has multipliers"
    own = (scales.multipliers + 32).astype(np.uint8)
    high = ((own >> 4).astype(np.uint16) << np.arange(0, 16, 2, dtype=np.uint16)).sum(axis=2, dtype=np.uint16)
    return [_raw(scales.unit), _raw(high), _pairs(own, 1), _pairs(steps, 16)]


def _four_k(steps: Bytes, scales: Scales) -> list[Bytes]:
    return [*_head(scales), _twelve(scales), _pairs(steps, 32)]


def _five_k(steps: Bytes, scales: Scales) -> list[Bytes]:
    rows, blocks, _ = steps.shape
    tops = (steps >> 4).reshape(rows, blocks, 8, 32) << np.arange(8, dtype=np.uint8)[:, None]
    return [*_head(scales), _twelve(scales), np.bitwise_or.reduce(tops, axis=2), _pairs(steps, 32)]


def _six_k(steps: Bytes, scales: Scales) -> list[Bytes]:
    assert scales.multipliers is not None, "a type of 256 has multipliers"
    rows, blocks, _ = steps.shape
    tops = (steps >> 4).reshape(rows, blocks, 2, 4, 32) << np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    high = np.bitwise_or.reduce(tops, axis=3).reshape(rows, blocks, 64)
    return [_pairs(steps, 64), high, scales.multipliers.view(np.uint8), _raw(scales.unit)]


def _twelve(scales: Scales) -> Bytes:
    """Eight multipliers and eight shifts of six bits in twelve bytes."""
    assert scales.multipliers is not None and scales.shifts is not None, "a type with offsets has both"
    first, second = scales.multipliers.view(np.uint8), scales.shifts.view(np.uint8)
    heads = [part[..., :4] | part[..., 4:] >> 4 << 6 for part in (first, second)]
    return np.concatenate([*heads, first[..., 4:] & 15 | (second[..., 4:] & 15) << 4], axis=2)


_PACKERS = {
    "q4_0": _four,
    "q4_1": _four,
    "q5_0": _five,
    "q5_1": _five,
    "q8_0": _eight,
    "iq4_nl": _four,
    "iq4_xs": _table,
    "q4_k": _four_k,
    "q5_k": _five_k,
    "q6_k": _six_k,
}
