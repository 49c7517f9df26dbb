"""Boards and accelerators of chips: the tables of boards.toml, and Arm's Ethos-U."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Board

KB = 1024
MB = 1024 * KB
MHZ = 1e6


def _read_board(name: str, facts: Mapping[str, Any]) -> Board:
    flash, ram, clock = facts["flash"] * KB, facts["ram"] * KB, facts["clock"] * MHZ
    return Board(name, facts["processor"], facts["note"], flash, ram, clock, tuple(facts["cycles"]))


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
BOARDS = tuple(_read_board(name, facts) for name, facts in _TABLES.items())

#: Family of Arm's Ethos-U -> multiplications in a cycle, of the units that its compiler Vela knows.
_ETHOS_U = {"U55": (32, 64, 128, 256), "U65": (256, 512), "U85": (128, 256, 512, 1024, 2048)}
#: Accelerators beside a Cortex-M55. Chips with the same unit differ in memory: the target's budgets hold.
UNITS = tuple(
    Board(
        f"{family}-{size}".lower(),
        processor="cortex-m55",
        note=f"Arm's Ethos-{family} with {size} multiplications in a cycle, as Vela 5.2.0 lists it.",
        runtime="ethos-u",
        unit=f"Ethos-{family}-{size}",
    )
    for family, sizes in _ETHOS_U.items()
    for size in sizes
)


def boards_of(processor: str) -> dict[str, Board]:
    """Name -> board, of a target."""
    return {board.name: board for board in (*BOARDS, *UNITS) if board.processor == processor}
