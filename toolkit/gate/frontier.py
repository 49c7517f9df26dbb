"""The frontier of a search: size, loss and speed of every recipe that was tried, as a table.

Times are short measurements on the machine that made the bundle, to tell recipes apart; `edgekit bench` measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgekit.common.documents import read_json
from edgekit.common.figures import figure
from edgekit.errors import BadInput

NAME = "frontier.json"
COLUMNS = ("recipe", "size", "speed here", "loss (95 %)", "also", "verdict")


@dataclass(frozen=True)
class Loss:
    """What a recipe loses against the fp32 reference.

    Attributes:
        value, low, high: the mean and its 95 % interval, in `unit`. allowed: the largest that passes.
    """

    value: float
    low: float
    high: float
    unit: str
    allowed: float

    def __str__(self) -> str:
        return f"{self.value:z.4g} {self.unit} ({self.low:z.4g} to {self.high:z.4g})"


@dataclass(frozen=True)
class Point:
    """A recipe. None: not measured, and `reason` says why.

    Attributes:
        recipe: its precision and options as text. verdict: "pass", "fail", "undecided" or "not tried".
        size: bytes of the networks and of what an app ships with them.
        seconds: median time of the answer to the golden input. speed: generated tokens/s, of a language model.
        figures: further figures, which decide nothing.
    """

    recipe: str
    verdict: str
    reason: str = ""
    size: int | None = None
    seconds: float | None = None
    speed: float | None = None
    loss: Loss | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict_text(self) -> str:
        """The verdict with what decides it, short enough for a table."""
        loss, why = self.loss, self.reason
        if self.verdict == "pass":
            return self.verdict
        if loss is not None and self.verdict == "undecided" and loss.high > loss.allowed >= loss.value:
            why = f"the interval reaches above {loss.allowed:g}"
        elif loss is not None and self.verdict == "fail" and loss.value > loss.allowed:
            why = f"{loss.value:.4f} is above {loss.allowed:g}"
        return f"{self.verdict}: {why}" if why else self.verdict

    @property
    def pace(self) -> str:
        """Its speed as text, "-" where none was measured."""
        if self.speed is not None:
            return f"{self.speed:.0f} tokens/s"
        return "-" if self.seconds is None else figure(self.seconds, "s")


def load(folder: Path) -> tuple[str, list[Point]] | None:
    """The chosen recipe and all points that a search left in a bundle; None without a frontier. Raises BadInput."""
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        facts = read_json(file)
        return str(facts["chosen"]), msgspec.convert(facts["points"], list[Point])
    except (msgspec.MsgspecError, KeyError, TypeError) as exc:
        raise BadInput(f"{file} is no frontier of edgekit's: {exc}.") from exc


def rows(points: Sequence[Point], chosen: str) -> list[list[str]]:
    """Cells for a table with the columns `COLUMNS`."""
    return [
        [
            point.recipe + (" (chosen)" if point.recipe == chosen else ""),
            "-" if point.size is None else figure(point.size, "B"),
            point.pace,
            "-" if point.loss is None else str(point.loss),
            ", ".join(f"{name} {value:.4g}" for name, value in point.figures.items()) or "-",
            point.verdict_text,
        ]
        for point in points
    ]
