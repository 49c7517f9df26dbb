"""Shapes of the two towers, without torch."""

from __future__ import annotations

from edgekit.core import Work
from edgekit.numerics.layers import linear, work

#: Films of MovieLens 100k; width between the two products of the person's tower; numbers of a vector.
ITEMS, HIDDEN, WIDTH = 1682, 64, 48
#: Of the person's tower. The items' tower is not exported: its vectors are a table.
PARAMETERS = (ITEMS + 1) * HIDDEN + (HIDDEN + 1) * WIDTH


def towers_work() -> tuple[Work, ...]:
    """Work of a person's vector. Scores of all items are one more product, in the loop."""
    return (work("network", "vector", [linear(ITEMS, HIDDEN), linear(HIDDEN, WIDTH)]),)
