"""Pictures drawn from data: what each bundle of a model weighs, and what it loses against fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from measured import Row

from edgekit.common.figures import figure

__all__ = ["tradeoff"]

WIDTH, HEIGHT = 480, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 24, 46


@dataclass(frozen=True)
class _Point:
    """A bundle: its size in bytes (of firmware: its flash), its loss against fp32 in points, the ends of its 95 %
    interval."""

    name: str
    size: float
    loss: float
    low: float
    high: float


def tradeoff(rows: Sequence[Row]) -> str:
    """Size against loss of accuracy as inline SVG, with fp32 bundles of the same formats at no loss; "" where there are
    fewer than two bundles to compare."""
    points = [_point(row) for row in rows if row.size and row.gate.get("drop") is not None]
    formats = {point.name.split()[0] for point in points}
    points += [_point(row) for row in rows if row.size and row.precision == "fp32" and row.runtime in formats]
    points = sorted({point.name: point for point in points}.values(), key=lambda point: point.size)
    if len(points) < 2:
        return ""
    most = max(point.size for point in points) * 1.15
    values = [value for point in points for value in (point.loss, point.low, point.high, 0.0)]
    low, high = min(values), max(values)
    pad = max((high - low) * 0.15, 0.05)
    low, high = low - pad, high + pad

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * size / most

    def y(loss: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low)

    marks = [_frame(y(0.0))]
    marks += [_tick(x(most * share), most * share) for share in (0.25, 0.5, 0.75)]
    marks += [_level(y(loss), loss) for loss in sorted({round(low + pad, 2), 0.0, round(high - pad, 2)})]
    marks += [_mark(point, x(point.size), y, 20 if at % 2 else -9) for at, point in enumerate(points)]
    title = "Size of each bundle against its loss of accuracy"
    caption = f"{title}, in points against fp32. Of firmware the size is its flash. Lines are 95 % intervals."
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        + "".join(marks)
        + f"</svg><figcaption>{caption}</figcaption></figure>\n"
    )


def _point(row: Row) -> _Point:
    drop = row.gate.get("drop") or 0.0
    flash = row.figures.get("footprint_sound.flash") or row.figures.get("footprint.flash")
    size = float(flash["median"] if flash else row.size or 0)
    loss, low, high = 100 * drop, 100 * row.gate.get("low", drop), 100 * row.gate.get("high", drop)
    return _Point(f"{row.runtime} {row.precision}", size, loss, low, high)


def _frame(zero: float) -> str:
    bottom = HEIGHT - BOTTOM
    return (
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{bottom}"/>'
        f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>'
        f'<line class="zero" x1="{LEFT}" y1="{zero:.1f}" x2="{WIDTH - RIGHT}" y2="{zero:.1f}"/>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">size of the bundle</text>'
    )


def _tick(x: float, size: float) -> str:
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{figure(size, "B")}</text>'


def _level(y: float, loss: float) -> str:
    return f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{loss:+.2f}</text>'


def _mark(point: _Point, x: float, y: Callable[[float], float], below: int) -> str:
    side, offset = ("end", -9) if x > WIDTH * 0.6 else ("start", 9)
    told = f"{point.name}: {figure(point.size, 'B')}, {point.loss:+.2f} points ({point.low:+.2f} to {point.high:+.2f})"
    return (
        f'<g><title>{escape(told)}</title><line class="interval" x1="{x:.1f}" y1="{y(point.high):.1f}" x2="{x:.1f}" '
        f'y2="{y(point.low):.1f}"/><circle cx="{x:.1f}" cy="{y(point.loss):.1f}" r="5"/>'
        f'<text x="{x + offset:.1f}" y="{y(point.loss) + below:.1f}" text-anchor="{side}">{escape(point.name)}</text>'
        "</g>"
    )
