"""From a map of chances that a pixel is text to rectangles around lines of text.

Liao et al. 2020, "Real-time Scene Text Detection with Differentiable Binarization" (arXiv:1911.08947), section 3.4:
threshold, connected pixels, the smallest rectangle around them, and its growth by the share that training shrank it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from edgekit.common.lazy import Doubles, NDArray, np

#: Rectangles with a shorter side, in pixels of the map, are no text; and after they have grown.
_THIN, _GROWN = 3.0, 5.0


@dataclass(frozen=True)
class Line:
    """A line of text: its corners [4, 2] (x, y) from the upper left on clockwise, and its mean chance."""

    corners: Doubles
    score: float


class LineRules(TypedDict):
    """What `lines` takes beside the map."""

    pixel: float
    line: float
    growth: float
    most: int


def lines(chances: NDArray[np.float32], *, pixel: float, line: float, growth: float, most: int) -> list[Line]:
    """The lines of text in a map float32 [height, width], in its pixels.

    Args:
        pixel: the least chance of a pixel. line: the least mean chance in a rectangle. growth: on each side, as a
            multiple of the rectangle's area over its perimeter. most: lines.
    """
    mask = np.pad(chances > pixel, ((1, 0), (1, 0)))
    # Dilated by a pixel to the right and below, which joins what touches at a corner only.
    mask = mask[1:, 1:] | mask[:-1, 1:] | mask[1:, :-1] | mask[:-1, :-1]
    made: list[Line] = []
    for points in _groups(mask):
        middle, axis, (long, short) = smallest_rectangle(points)
        if min(long, short) < _THIN:
            continue
        score = _mean(chances, _corners(middle, axis, (long, short)))
        grown = 2 * growth * long * short / (2 * (long + short))
        if score < line or min(long, short) + grown < _GROWN:
            continue
        made.append(Line(_corners(middle, axis, (long + grown, short + grown)), score))
    return sorted(made, key=lambda found: -found.score)[:most]


def _groups(mask: NDArray[np.bool_]) -> Iterator[Doubles]:
    """Of each group of pixels that touch, also at corners: the ends [N, 2] (x, y) of its runs in rows."""
    runs, parents = _runs(mask), list[int]()

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    above: list[tuple[int, int, int]] = []  # (start, end, number) of the runs of the row before
    row, here = -2, list[tuple[int, int, int]]()
    for number, (y, start, end) in enumerate(runs):
        parents.append(number)
        if y != row:
            above, here, row = (here if y == row + 1 else []), [], y
        here.append((start, end, number))
        while above and above[0][1] < start - 1:
            above = above[1:]
        for first, _, other in above:
            if first > end + 1:
                break
            parents[root(other)] = root(number)
    members: dict[int, list[int]] = {}
    for number in range(len(runs)):
        members.setdefault(root(number), []).append(number)
    places = np.asarray(runs, np.float64)
    for numbers in members.values():
        chosen = places[numbers]
        yield np.concatenate([chosen[:, [1, 0]], chosen[:, [2, 0]]])


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(row, first column, last column) of every run of set pixels, in order."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1] - 1
    return list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))


def hull(points: Doubles) -> Doubles:
    """The convex hull of points [N, 2], in order (Andrew 1979)."""
    ordered = np.unique(points, axis=0).tolist()
    if len(ordered) < 3:
        return np.asarray(ordered, np.float64)
    halves = []
    for half in (ordered, ordered[::-1]):
        chain: list[list[float]] = []
        for point in half:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        halves.append(chain[:-1])
    return np.asarray(halves[0] + halves[1], np.float64)


def _turn(a: list[float], b: list[float], c: list[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def smallest_rectangle(points: Doubles) -> tuple[Doubles, Doubles, tuple[float, float]]:
    """The rectangle of the least area around points [N, 2]: its middle, the direction of its first side (the one nearer
    to the horizontal, towards the right), and the lengths of both sides. One of its sides lies on one of the hull's.
    """
    outline = hull(points)
    edges = np.roll(outline, -1, axis=0) - outline
    lengths = np.hypot(*edges.T)
    axes = edges[lengths > 0] / lengths[lengths > 0, None] if len(outline) > 1 else np.array([[1.0, 0.0]])
    along = outline @ axes.T
    across = outline @ np.stack([-axes[:, 1], axes[:, 0]])
    spans = np.stack([along.max(0) - along.min(0), across.max(0) - across.min(0)])
    best = int(np.argmin(spans[0] * spans[1]))
    axis, sides = axes[best], (float(spans[0, best]), float(spans[1, best]))
    normal = np.array([-axis[1], axis[0]])
    middle = axis * (along[:, best].max() + along[:, best].min()) / 2
    middle = middle + normal * (across[:, best].max() + across[:, best].min()) / 2
    if abs(axis[0]) < abs(axis[1]):
        axis, sides = normal, sides[::-1]
    return middle, axis if axis[0] > 0 else -axis, sides


def _corners(middle: Doubles, axis: Doubles, sides: tuple[float, float]) -> Doubles:
    along, across = axis * sides[0] / 2, np.array([-axis[1], axis[0]]) * sides[1] / 2
    return np.stack(
        [middle - along - across, middle + along - across, middle + along + across, middle - along + across]
    )


def _mean(chances: NDArray[np.float32], corners: Doubles) -> float:
    """The mean of the map's pixels inside of a rectangle."""
    height, width = chances.shape
    left, top = np.clip(np.floor(corners.min(0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0)), 0, (width - 1, height - 1)).astype(int)
    rows, columns = np.mgrid[top : bottom + 1, left : right + 1]
    inside = np.ones(rows.shape, bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (end[0] - start[0]) * (rows - start[1]) - (end[1] - start[1]) * (columns - start[0]) >= -1e-6
    part = chances[top : bottom + 1, left : right + 1][inside]
    return float(part.mean()) if part.size else 0.0
