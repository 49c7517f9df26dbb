"""What is packed is what ggml unpacks, bit for bit, in every type."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cases.ggml import dequantized
from numpy.typing import NDArray

from edgekit.formats.gguf.blocks import BLOCKS, Block, Scales, pack, row_bytes

ROWS, WEIGHTS = 5, 512


def drawn(block: Block, rng: np.random.Generator) -> Scales:
    """Random scales, with the ends of what the type can hold among them."""
    count, parts = WEIGHTS // block.size, block.size // block.part

    def halves() -> NDArray[np.float16]:
        return rng.uniform(1e-3, 1, (ROWS, count)).astype(np.float16)

    def small(least: int) -> NDArray[np.int8]:
        own = rng.integers(least, block.most, (ROWS, count, parts), endpoint=True).astype(np.int8)
        own[0, 0, :2] = least, block.most
        return own

    if not block.most:
        return Scales(-halves(), -halves() if block.affine else None)
    if not block.affine:
        return Scales(halves(), None, small(-block.most - 1))
    return Scales(halves(), halves(), small(0), small(0))


@pytest.mark.parametrize("kind", BLOCKS)
def test_ggml_reads_what_is_packed(kind: str) -> None:
    block, rng = BLOCKS[kind], np.random.default_rng(3)
    steps = rng.integers(0, len(block.levels), (ROWS, WEIGHTS)).astype(np.uint8)
    steps[0, : len(block.levels)] = np.arange(len(block.levels))
    scales = drawn(block, rng)
    raw = pack(kind, steps, scales)
    assert raw.dtype == np.uint8 and raw.shape == (ROWS, row_bytes(kind, WEIGHTS))
    assert block.bits == 8 * raw.shape[1] / WEIGHTS
    scale, offset = (np.repeat(part, block.part, axis=1) for part in scales.spread())
    made = np.asarray(block.levels, np.float32)[steps] * scale + offset
    assert (dequantized(raw, kind) == made).all()
