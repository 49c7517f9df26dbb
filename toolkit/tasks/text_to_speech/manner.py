"""How a text is read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from edgekit.errors import BadInput


@dataclass(frozen=True)
class Manner:
    """A manner of reading.

    Attributes:
        speed: 2.0 is twice as fast. noise, rhythm: how much readings differ in sound and in durations; 0: not at all.
        seed: of the noise; the same seed reads alike.

    Raises:
        BadInput: a value of another kind, or out of range.
    """

    speed: float = 1.0
    noise: float = 0.667
    rhythm: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {"speed": (0.25, 4.0), "noise": (0.0, 2.0), "rhythm": (0.0, 2.0), "seed": (0, 2**31)}
        for field in fields(self):
            value, (least, most) = getattr(self, field.name), limits[field.name]
            kind: Any = int if field.name == "seed" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
                raise BadInput(f"{field.name} is a number from {least:g} to {most:g}, not {value!r}.")


#: What a user can choose.
OPTIONS = tuple(field.name for field in fields(Manner))
