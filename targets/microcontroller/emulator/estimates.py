"""From exact instruction counts to a range of time on a board. Estimated: no board was here.

Energy is not estimated: it would take the current that a board draws while it computes, which was not measured either.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from edgekit.core import Board, Facts


def estimates(name: str, instructions: Iterable[int], boards: Iterable[Board]) -> list[Facts]:
    """Seconds that `name` takes on each board: name, unit, low, high, and what they rest on."""
    count = statistics.median(instructions)
    return [
        {
            "name": f"{name} on {board.name}",
            "unit": "s",
            "low": time[0],
            "high": time[1],
            "basis": f"{board.cycles[0]:g} to {board.cycles[1]:g} cycles an instruction at {board.clock / 1e6:g} MHz. "
            f"{board.note}",
        }
        for board in boards
        if board.cycles and board.clock and (time := board.seconds(count))
    ]
