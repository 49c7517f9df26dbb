"""Constants stored without their zeros: laid out by hand, by rows and in blocks, and damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.errors import BadInput
from edgekit.formats.tflite.sparse import Dimension, dense

ROWS = np.array([[0, 7, 0, 0], [0, 0, 0, 0], [1, 0, 0, 3]], np.float32)
VALUES = np.array([7, 1, 3], np.float32)


def rows(**changes: Any) -> Dimension:
    facts = {"size": 0, "segments": (0, 1, 1, 3), "indices": (1, 0, 3), "compressed": True}
    return Dimension(**(facts | changes))


def test_rows() -> None:
    assert (dense(VALUES, (3, 4), (0, 1), (), [Dimension(3), rows()]) == ROWS).all()


def test_columns() -> None:
    by_columns = Dimension(0, (0, 1, 2, 2, 3), (2, 0, 2), compressed=True)
    made = dense(np.array([1, 7, 3], np.float32), (3, 4), (1, 0), (), [Dimension(4), by_columns])
    assert (made == ROWS).all()


def test_blocks() -> None:
    """Two of the four blocks of 1 x 2 of [2, 4]: the last dimension is the block's."""
    stored = np.array([1, 2, 3, 4], np.float16)
    compressed = Dimension(0, (0, 1, 2), (1, 0), compressed=True)
    made = dense(stored, (2, 4), (0, 1, 2), (1,), [Dimension(2), compressed, Dimension(2)])
    assert made.tolist() == [[0, 0, 1, 2], [3, 4, 0, 0]] and made.dtype == np.float16


@pytest.mark.parametrize(
    ("order", "blocks", "dimensions", "what"),
    [
        ((0, 0), (), [Dimension(3), rows()], "dimensions"),
        ((0, 1), (), [Dimension(3)], "dimensions"),
        ((0, 1, 2), (1,), [Dimension(3), rows(), Dimension(3)], "blocks"),
        ((0, 1, 2), (5,), [Dimension(3), rows(), Dimension(2)], "blocks"),
        ((0, 1), (), [Dimension(4), rows()], "sizes"),
        ((0, 1), (), [Dimension(3), rows(segments=(0, 1, 3))], "segments"),
        ((0, 1), (), [Dimension(3), rows(segments=(0, 2, 1, 3))], "indices"),
        ((0, 1), (), [Dimension(3), rows(indices=(1, 0, 4))], "indices"),
        ((0, 1), (), [Dimension(3), rows(segments=(0, 1, 1, 2), indices=(1, 0))], "values"),
    ],
)
def test_what_does_not_fit_is_refused(order: Any, blocks: Any, dimensions: Any, what: str) -> None:
    with pytest.raises(BadInput, match=f"the {what} of a sparse tensor"):
        dense(VALUES, (3, 4), order, blocks, dimensions)
