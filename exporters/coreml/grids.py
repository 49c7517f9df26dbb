"""What the weights of each precision and form lie on, and the palettes of weights that lie on one already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.quantization.weights.gptq import Grid
from edgekit.quantization.weights.palettes import Palette

#: Precision of a part -> what its layers may have -> bits a weight.
BITS: Mapping[str, Mapping[str, float]] = {
    "int8": {"int8": 8, "float": 16},
    "int6": {"int6": 6, "int8": 8},
    "int4": {"int4": 4, "int6": 6, "int8": 8},
}
#: Weights of an output that share a scale; and outputs that share a palette, at most. One of 6 bits is four times as
#: large as one of 4: for a layer of 96 inputs, in groups of 8, it would take 1.3 bits a weight.
BLOCK, GROUPS = 32, {4: 8, 6: 32}


def group_of(bits: int, form: str, outputs: int) -> int:
    """How many outputs of a layer share a palette; 0: all of them, also where they cannot be divided."""
    most = GROUPS[bits]
    fitting = (size for size in range(most, most // 4, -1) if outputs % size == 0)
    return next(fitting, 0) if form == "grouped" else 0


def grid_of(precision: str, form: str, outputs: int) -> Grid | Palette:
    """What the weights of a layer lie on."""
    bits = int(precision[3:])
    if precision == "int8" or (form == "block" and bits == 4):
        return Grid(bits, BLOCK if bits == 4 else 0)
    return Palette(bits, group_of(bits, form, outputs))


def palette_of(bits: int, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The palette of some weights, and the place of each in it. Those that have few values already keep them."""
    from edgekit.quantization.weights.palettes import Palette, palettes

    flat = values.reshape(1, -1).astype(np.float32)
    book = np.unique(flat)
    if len(book) > 1 << bits:
        [book] = palettes(flat, np.ones_like(flat), Palette(bits))
    book = np.pad(book, (0, (1 << bits) - len(book)), mode="edge")
    return book.astype(values.dtype), np.searchsorted((book[1:] + book[:-1]) / 2, flat[0]).astype(np.uint8)
