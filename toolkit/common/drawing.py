"""Places for the labels of a scatter plot, so that no label overlaps another label or a point.

Greedy, the important points first (after Christensen, Marks and Shieber, "An Empirical Study of Algorithms for
Point-Feature Label Placement", ACM Transactions on Graphics 14(3), 1995, whose greedy baseline this is): each label
takes the first free place of a fixed list around its point; distant labels get a line to their point.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_HEIGHT = 13.0
_DOT = 5.0

#: Farther from its point than this, a label needs a line to it.
_NEAR = 12.0

_SIDES = ((1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (0.75, -0.75), (0.75, 0.75), (-0.75, -0.75), (-0.75, 0.75))
_REACHES = (7.0, 15.0, 26.0, 38.0)


@dataclass(frozen=True)
class Box:
    """A rectangle in the units of a drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether they have a point in common."""
        beside = self.left >= other.right or other.left >= self.right
        return not beside and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: Box) -> bool:
        """Whether `other` lies inside."""
        apart = self.left > other.left or other.right > self.right
        return not apart and self.top <= other.top and other.bottom <= self.bottom


@dataclass(frozen=True)
class Label:
    """A placed label: its box, and whether it needs a line to its point."""

    box: Box
    far: bool


def place_labels(
    points: Sequence[tuple[float, float]], names: Sequence[str], count: int, room: Box, kept: Sequence[Box] = ()
) -> list[Label | None]:
    """A place for each label, in order; None if no place is free.

    Args:
        points: the centres, in the drawing's units. count: number of first points that get a label.
        room: the box that holds all labels. kept: occupied places.
    """
    dots = [Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in points]
    taken = list(kept)
    labels: list[Label | None] = []
    for at, (point, name) in enumerate(zip(points, names, strict=True)):
        label, width = None, breadth(name)
        if at < count:  # in a crowd a label over some point is better than none; over another label it never is
            label = _place(point, width, room, (*dots, *taken)) or _place(point, width, room, taken)
        labels.append(label)
        if label:
            taken.append(label.box)
    return labels


def _place(point: tuple[float, float], width: float, room: Box, taken: Sequence[Box]) -> Label | None:
    for reach in _REACHES:
        for side in _SIDES:
            box = _beside(point, width, side, reach)
            if room.holds(box) and not any(box.meets(other) for other in taken):
                return Label(box, reach > _NEAR)
    return None


def _beside(point: tuple[float, float], width: float, side: tuple[float, float], reach: float) -> Box:
    (x, y), (across, down) = point, side
    left = x + across * reach - (width if across < 0 else width / 2 if across == 0 else 0.0)
    top = y + down * reach - (_HEIGHT if down < 0 else _HEIGHT / 2 if down == 0 else 0.0)
    return Box(left, top, left + width, top + _HEIGHT)


def breadth(words: str) -> float:
    """The largest width of a text in the figures' font size, in their units."""
    return sum(11.5 if unicodedata.east_asian_width(letter) in "WF" else 6.6 for letter in words)
