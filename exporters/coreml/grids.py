"""What the weights of each form lie on, and the palettes of weights that lie on one already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.quantization.weights.gptq import Grid
    from edgekit.quantization.weights.palettes import Palette

__all__ = ["BLOCK", "GROUP", "grid_of", "palette_of"]

#: Weights of an output that share a scale, and outputs that share a palette.
BLOCK, GROUP = 32, 8


def grid_of(precision: str, form: str) -> Grid | Palette:
    """What the weights of a form lie on."""
    from edgekit.quantization.weights.gptq import Grid
    from edgekit.quantization.weights.palettes import Palette

    bits = int(precision[3:])
    if form in ("linear", "block"):
        return Grid(bits, BLOCK if form == "block" else 0)
    return Palette(bits, GROUP if form == "grouped" else 0)


def palette_of(bits: int, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The palette of some weights, and the place of each in it. Those that have few values already keep them."""
    import numpy as np

    from edgekit.quantization.weights.palettes import Palette, palettes

    flat = values.reshape(1, -1).astype(np.float32)
    book = np.unique(flat)
    if len(book) > 1 << bits:
        [book] = palettes(flat, np.ones_like(flat), Palette(bits))
    book = np.pad(book, (0, (1 << bits) - len(book)), mode="edge")
    return book.astype(values.dtype), np.searchsorted((book[1:] + book[:-1]) / 2, flat[0]).astype(np.uint8)
