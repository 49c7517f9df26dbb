"""The frontier of a search as an SVG: x is size in MB, y the loss (logarithmic), bars are intervals."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from edgekit.common.drawing import Box, breadth, place_labels
from edgekit.gate.frontier import NAME, Loss, Point

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BOTTOM = 640.0, 400.0, 70.0, 20.0, 40.0, 56.0
#: Losses below are noise of the arithmetic: they lie on the floor, and the axis says so.
_FLOOR = -4
_COLOURS = {"pass": "#1a7f37", "undecided": "#9a6700"}
_PLOT = "frontier.svg"
_BAD, _BAR = "#cf222e", "#0969da"


class _Scale(NamedTuple):
    """The axes: megabytes from `least` to `most`, powers of ten up to `top`."""

    least: float
    most: float
    top: int

    def across(self, size: float) -> float:
        return _LEFT + (size - self.least) / (self.most - self.least) * (_WIDE - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        exponent = math.log10(max(value, 10.0**_FLOOR))
        return _HIGH - _BOTTOM - (exponent - _FLOOR) / (self.top - _FLOOR) * (_HIGH - _BOTTOM - _TOP)


def plot(points: Sequence[Point], chosen: str) -> str:
    """An SVG of the measured points; the chosen precision is larger and bold."""
    known = [point for point in points if point.size is not None and point.loss is not None]
    body = [f'<rect width="{_WIDE:g}" height="{_HIGH:g}" fill="white"/>']
    if known:
        sizes = [(point.size or 0) / 1e6 for point in known]
        highest = max(_loss(point).high for point in known)
        margin = 0.1 * (max(sizes) - min(sizes) or max(sizes))
        top = max(_FLOOR + 1, math.ceil(math.log10(max(highest, 1e-9))))
        scale = _Scale(max(0.0, min(sizes) - margin), max(sizes) + margin, top)
        body += [*_axes(scale), *_bar(scale, _loss(known[0]).allowed), *_marks(scale, known, chosen)]
    body.append(_text((_WIDE + _LEFT) / 2, _HIGH - 14, "size, MB", "middle"))
    unit = _loss(known[0]).unit if known else ""
    body.append(_text(12, 22, f"loss against the fp32 reference, {unit} (bars: 95 %)"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE:g} {_HIGH:g}" width="{_WIDE:g}" '
        f'height="{_HIGH:g}" font-family="sans-serif" font-size="12">{"".join(body)}</svg>\n'
    )


def _loss(point: Point) -> Loss:
    assert point.loss is not None, "only measured points are drawn"
    return point.loss


def _axes(scale: _Scale) -> list[str]:
    lines = []
    for power in range(_FLOOR, scale.top + 1):
        y, name = scale.up(10.0**power), f"{10.0**power:g}"
        lines.append(f'<path d="M{_LEFT:g} {y:.1f}H{_WIDE - _RIGHT:g}" stroke="#ddd"/>')
        lines.append(_text(_LEFT - 8, y + 4, f"≤ {name}" if power == _FLOOR else name, "end"))
    step = next(s * 10**n for n in range(-2, 7) for s in (1, 2, 5) if (scale.most - scale.least) / (s * 10**n) <= 8)
    ticks = [i * step for i in range(math.ceil(scale.least / step), math.floor(scale.most / step) + 1)]
    return lines + [_text(scale.across(at), _HIGH - _BOTTOM + 18, f"{at:g}", "middle") for at in ticks]


def _bar(scale: _Scale, allowed: float) -> list[str]:
    """The line that passing points lie below."""
    if allowed <= 0 or not _FLOOR < math.log10(allowed) < scale.top:
        return []
    y = scale.up(allowed)
    line = f'<path d="M{_LEFT:g} {y:.1f}H{_WIDE - _RIGHT:g}" stroke="{_BAR}" stroke-dasharray="6 4"/>'
    return [line, _text(_WIDE - _RIGHT - 2, y - 5, f"allowed: {allowed:g}", "end", f'fill="{_BAR}"')]


def _marks(scale: _Scale, known: Sequence[Point], chosen: str) -> list[str]:
    """Points, bars and names. The chosen precision is first, so that its name gets the best place."""
    ordered = sorted(known, key=lambda point: point.recipe != chosen)
    centres = [(scale.across((point.size or 0) / 1e6), scale.up(_loss(point).value)) for point in ordered]
    names = [point.recipe for point in ordered]
    room = Box(_LEFT, _TOP - 12, _WIDE, _HIGH - _BOTTOM)
    shapes = []
    for point, (x, y) in zip(ordered, centres, strict=True):
        colour, radius = _COLOURS.get(point.verdict, _BAD), 6 if point.recipe == chosen else 4
        low, high = scale.up(_loss(point).low), scale.up(_loss(point).high)
        shapes.append(f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}"/>')
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>')
    for (x, y), name, label in zip(centres, names, place_labels(centres, names, len(names), room), strict=True):
        if label is not None:
            middle, base = label.box.left + breadth(name) / 2, label.box.bottom - 3
            if label.far:
                shapes.append(f'<path d="M{x:.1f} {y:.1f}L{middle:.1f} {base - 4:.1f}" stroke="#999"/>')
            weight = 'font-weight="bold"' if name == chosen else ""
            shapes.append(_text(middle, base, name, "middle", weight))
    return shapes


def _text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{html.escape(words)}</text>'


def write(points: Sequence[Point], chosen: str, folder: Path) -> None:
    """Write the frontier into a bundle's folder, as JSON and as an SVG."""
    facts = {"chosen": chosen, "points": [asdict(point) for point in points]}
    (folder / NAME).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (folder / _PLOT).write_text(plot(points, chosen), encoding="utf-8")
