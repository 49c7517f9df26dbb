"""Answers as a person looks at them, for `edgekit.core.Task.show`: on the picture itself, on axes, or as lines of text.

Needs Pillow alone. Positions are in the pixels of the picture or in the units of the axes; everything outside is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Image, ImageDraw, NDArray, np
from edgekit.errors import need
from edgekit.tasks.common.pictures import open_image, pixels_in

#: Colours that people with any colour vision can tell apart (Okabe and Ito 2008), the strongest first.
COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (240, 228, 66))
_INK, _PAPER, _GRID = (34, 34, 34), (255, 255, 255), (221, 221, 221)
#: Pixels of a canvas's longer side: smaller pictures are enlarged, larger ones reduced.
_LEAST, _MOST = 640, 1600
_LETTERS = 15
_COLUMNS = 100

Colour = tuple[int, int, int]
Point = tuple[float, float]


def picture_of(sample: Any) -> Any:
    """A sample as a PIL image in mode RGB: a file, or an array uint8 [height, width, 3]. Raises BadInput for others."""
    if isinstance(sample, (str, Path)):
        return open_image(sample)[0]
    with need("run", "Drawing"):
        return Image.fromarray(pixels_in(sample))


def render_text(lines: Sequence[str], width: int = 900) -> Any:
    """Lines of text, black on white, wrapped: a PIL image of this width."""
    wrapped = [piece for line in lines for piece in _wrap_line(line)] or [""]
    step = _LETTERS * 3 // 2
    image = Image.new("RGB", (width, step * len(wrapped) + step), _PAPER)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(wrapped):
        pen.text((step // 2, step // 2 + number * step), line, fill=_INK, font=_font())
    return image


class Canvas:
    """A picture to draw on, enlarged or reduced to a size that can be looked at.

    Positions are (x, y) in pixels of the picture as it came; `number` chooses a colour.
    """

    def __init__(self, picture: Any) -> None:
        wide, high = picture.size
        longer = max(wide, high)
        self._scale = max(_LEAST / longer, 1.0) if longer < _LEAST else min(_MOST / longer, 1.0)
        size = (max(1, round(wide * self._scale)), max(1, round(high * self._scale)))
        self.image = picture.convert("RGB").resize(size)

    def box(self, corners: Sequence[float], label: str = "", number: int = 0) -> None:
        """A rectangle (left, top, right, bottom) with a label at its upper left corner."""
        left, top, right, bottom = corners
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], label, number)

    def polygon(self, corners: Sequence[Point], label: str = "", number: int = 0) -> None:
        """A closed line with a label at its first corner."""
        colour, placed = COLOURS[number % len(COLOURS)], self._scale_points(corners)
        self._pen().line([*placed, placed[0]], fill=colour, width=self._line, joint="curve")
        if label:
            self._label(placed[0], label, colour)

    def points(self, points: Sequence[Point], links: Sequence[tuple[int, int]] = (), number: int = 0) -> None:
        """Dots, and lines between the dots of these indices."""
        pen, placed, reach = self._pen(), self._scale_points(points), self._line + 1
        for first, second in links:
            pen.line([placed[first], placed[second]], fill=COLOURS[(number + 1) % len(COLOURS)], width=self._line)
        for x, y in placed:
            pen.ellipse(
                (x - reach, y - reach, x + reach, y + reach), fill=COLOURS[number % len(COLOURS)], outline=_PAPER
            )

    def mask(self, classes: NDArray[Any], names: Sequence[str] = (), strength: float = 0.55) -> None:
        """Tint each pixel by its class, whole numbers [height, width] of any size; class 0 is left clear. The names of
        the classes that occur stand below the picture."""
        present = [int(value) for value in np.unique(classes) if value > 0]
        tint = Image.new("RGB", self.image.size, _PAPER)
        share = Image.new("L", self.image.size, 0)
        for value in present:
            where = Image.fromarray(np.where(classes == value, np.uint8(round(255 * strength)), np.uint8(0)))
            where = where.resize(self.image.size, Image.Resampling.NEAREST)
            tint.paste(COLOURS[(value - 1) % len(COLOURS)], (0, 0), where.point(lambda v: 255 if v else 0))
            share.paste(where, (0, 0), where.point(lambda v: 255 if v else 0))
        self.image = Image.composite(tint, self.image, share)
        for value in present:
            if value < len(names):
                self.caption([names[value]], COLOURS[(value - 1) % len(COLOURS)])

    def caption(self, lines: Sequence[str], colour: Colour = _INK) -> None:
        """Lines of text below the picture, with a bar of `colour` at their left."""
        text = render_text(lines, self.image.width)
        ImageDraw.Draw(text).rectangle((0, 2, 4, text.height - 3), fill=colour)
        whole = Image.new("RGB", (self.image.width, self.image.height + text.height), _PAPER)
        whole.paste(self.image, (0, 0))
        whole.paste(text, (0, self.image.height))
        self.image = whole

    @property
    def _line(self) -> int:
        longer: int = max(self.image.size)
        return max(2, round(longer / 320))

    def _pen(self) -> Any:
        return ImageDraw.Draw(self.image)

    def _scale_points(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self._scale, y * self._scale) for x, y in points]

    def _label(self, at: Point, label: str, colour: Colour) -> None:
        pen, font = self._pen(), _font()
        left, top, right, bottom = pen.textbbox((0, 0), label, font=font)
        x = min(max(0.0, at[0]), max(0.0, self.image.width - (right - left) - 6))
        y = at[1] - (bottom - top) - 8
        y = y if y >= 0 else min(max(0.0, at[1]), max(0.0, self.image.height - (bottom - top) - 8))
        pen.rectangle((x, y, x + right - left + 6, y + bottom - top + 8), fill=colour)
        pen.text((x + 3 - left, y + 4 - top), label, fill=_PAPER if sum(colour) < 450 else _INK, font=font)


class Axes:
    """Axes for curves over time, and for bars such as a piano roll's notes.

    Args:
        across, up: the ranges (least, most) of x and of y. names: of x and of y, with their units.
        size: of the whole image, in pixels.
    """

    _LEFT, _TOP, _RIGHT, _BOTTOM = 70, 16, 16, 44
    _STEPS = 5

    def __init__(
        self, across: Point, up: Point, names: tuple[str, str] = ("", ""), size: tuple[int, int] = (960, 360)
    ) -> None:
        self._across, self._up = (self._wide(across), self._wide(up))
        self.image = Image.new("RGB", size, _PAPER)
        self._pen = ImageDraw.Draw(self.image)
        self._inside = (self._LEFT, self._TOP, size[0] - self._RIGHT, size[1] - self._BOTTOM)
        self._grid(names)

    def curve(self, xs: Sequence[float], ys: Sequence[float], number: int = 0) -> None:
        """A line through points; a value that is not a number interrupts it."""
        from math import isfinite

        piece: list[Point] = []
        for x, y in [*zip(xs, ys, strict=True), (float("nan"), 0.0)]:
            if isfinite(x) and isfinite(y):
                piece.append(self._place(x, y))
            else:
                if len(piece) > 1:
                    self._pen.line(piece, fill=COLOURS[number % len(COLOURS)], width=2, joint="curve")
                piece = []

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], number: int = 1) -> None:
        """The area between two curves. Draw it before the curves."""
        edge = [self._place(x, y) for x, y in zip(xs, high, strict=True)]
        edge += [self._place(x, y) for x, y in reversed(list(zip(xs, low, strict=True)))]
        if len(edge) > 2:
            red, green, blue = ((255 * 2 + part) // 3 for part in COLOURS[number % len(COLOURS)])
            self._pen.polygon(edge, fill=(red, green, blue))

    def bar(self, across: Point, up: Point, label: str = "", number: int = 0) -> None:
        """A filled rectangle from across[0] to across[1] and up[0] to up[1]: a note, a stretch of speech."""
        (left, bottom), (right, top) = self._place(across[0], up[0]), self._place(across[1], up[1])
        self._pen.rectangle(
            (left, top, max(right, left + 1), max(bottom, top + 1)), fill=COLOURS[number % len(COLOURS)]
        )
        if label:
            self._pen.text((left + 3, top + 2), label, fill=_INK, font=_font())

    def level(self, y: float) -> None:
        """A horizontal line: a threshold."""
        (left, height), (right, _) = self._place(self._across[0], y), self._place(self._across[1], y)
        self._pen.line([(left, height), (right, height)], fill=_INK, width=1)

    @staticmethod
    def _wide(values: Point) -> Point:
        least, most = values
        return (least, most) if most > least else (least - 0.5, least + 0.5)

    def _place(self, x: float, y: float) -> Point:
        left, top, right, bottom = self._inside
        share = min(max((x - self._across[0]) / (self._across[1] - self._across[0]), 0.0), 1.0)
        height = min(max((y - self._up[0]) / (self._up[1] - self._up[0]), 0.0), 1.0)
        return left + share * (right - left), bottom - height * (bottom - top)

    def _grid(self, names: tuple[str, str]) -> None:
        left, top, right, bottom = self._inside
        for step in range(self._STEPS + 1):
            x = self._across[0] + (self._across[1] - self._across[0]) * step / self._STEPS
            y = self._up[0] + (self._up[1] - self._up[0]) * step / self._STEPS
            at_x, at_y = self._place(x, self._up[0])[0], self._place(self._across[0], y)[1]
            self._pen.line([(at_x, top), (at_x, bottom)], fill=_GRID)
            self._pen.line([(left, at_y), (right, at_y)], fill=_GRID)
            self._pen.text((at_x, bottom + 4), f"{x:.4g}", fill=_INK, font=_font(), anchor="ma")
            self._pen.text((left - 6, at_y), f"{y:.4g}", fill=_INK, font=_font(), anchor="rm")
        self._pen.text(((left + right) / 2, bottom + 24), names[0], fill=_INK, font=_font(), anchor="ma")
        self._pen.text((left + 4, top), names[1], fill=_INK, font=_font())


def _wrap_line(line: str) -> list[str]:
    import textwrap

    return textwrap.wrap(line, _COLUMNS, drop_whitespace=False) or [""]


def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(_LETTERS)
