"""Rectangles around lines of text: connected pixels, the smallest rectangle, its growth, and what is left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.tasks.image_to_text.regions import hull, lines, smallest_rectangle

RULE = {"pixel": 0.3, "line": 0.5, "growth": 1.6, "most": 100}


def bar(angle: float, size: tuple[int, int] = (100, 160), sides: tuple[float, float] = (80.0, 12.0)) -> NDArray[Any]:
    """A map with a bright bar in the middle, turned clockwise by `angle` radians."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float64)
    x, y = columns - size[1] / 2, rows - size[0] / 2
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return ((abs(along) <= sides[0] / 2) & (abs(across) <= sides[1] / 2)).astype(np.float32) * 0.9


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.6, math.pi / 2])
def test_a_turned_bar_becomes_its_rectangle_grown_on_every_side(angle: float) -> None:
    (line,) = lines(bar(angle), **RULE)
    origin, right, _, below = line.corners
    sides = sorted((math.dist(origin, right), math.dist(origin, below)))
    growth = 2 * 1.6 * 80 * 12 / (2 * (80 + 12))
    assert sides == pytest.approx([12 + growth, 80 + growth], abs=4)
    assert line.corners.mean(0) == pytest.approx([80.5, 50.5], abs=1)  # dilated by a pixel to the right and below
    across, down = right - origin
    turned = math.atan2(down, across) - (0 if abs(angle) < 1 else angle)
    assert min(abs(turned - angle), abs(turned), abs(abs(turned) - math.pi / 2)) < 0.05
    assert 0.7 < line.score <= 0.9


def test_lines_that_do_not_touch_are_two_and_those_that_touch_at_a_corner_are_one() -> None:
    chances = np.zeros((60, 60), np.float32)
    chances[5:12, 5:50] = 0.8
    chances[30:37, 5:50] = 0.9
    assert [round(line.score, 1) for line in lines(chances, **RULE | {"line": 0.4})] == [0.8, 0.7]
    chances[12:30, 50:55] = 0.9  # from the corner of the first to that of the second
    assert len(lines(chances, **RULE | {"line": 0.2})) == 1


@pytest.mark.parametrize(
    "chances",
    [
        np.zeros((40, 40), np.float32),
        np.pad(np.full((1, 30), 0.9, np.float32), ((20, 19), (5, 5))),  # thinner than a letter
        np.pad(np.full((12, 30), 0.4, np.float32), ((14, 14), (5, 5))),  # not sure enough as a whole
    ],
)
def test_what_is_no_line(chances: NDArray[np.float32]) -> None:
    assert lines(chances, **RULE) == []


def test_a_map_that_is_text_everywhere_and_the_most_lines() -> None:
    (line,) = lines(np.full((40, 90), 0.9, np.float32), **RULE)
    assert line.corners.min() < 0 and line.corners[:, 0].max() > 89
    chances = np.zeros((200, 60), np.float32)
    for row in range(0, 200, 20):
        chances[row : row + 8, 5:55] = 0.6 + row / 1000
    best = lines(chances, **RULE | {"most": 3, "line": 0.3})
    assert len(best) == 3 and [line.corners[0][1] > 120 for line in best] == [True] * 3


def test_noise_ends() -> None:
    chances = np.random.default_rng(0).random((150, 150)).astype(np.float32)
    assert len(lines(chances, **RULE | {"pixel": 0.5, "line": 0.0})) < 400


def test_the_hull_of_points_and_of_next_to_none() -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [2, 2], [1, 3], [2, 0]], np.float64)
    assert {tuple(point) for point in hull(square).tolist()} == {(0, 0), (4, 0), (4, 4), (0, 4)}
    middle, axis, sides = smallest_rectangle(np.array([[3.0, 7.0]]))
    assert middle.tolist() == [3, 7] and sides == (0, 0) and axis.tolist() == [1, 0]
    middle, axis, sides = smallest_rectangle(np.array([[0.0, 0.0], [3.0, 4.0]]))
    assert middle == pytest.approx([1.5, 2]) and sorted(sides) == pytest.approx([0, 5])
