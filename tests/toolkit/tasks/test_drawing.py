"""Drawings of answers: where the pen goes, and that nothing outside or odd stops it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.errors import BadInput
from edgekit.tasks.common.drawing import COLOURS, Axes, Canvas, picture_of, render_text

GREY = (128, 128, 128)


def grey(width: int, height: int) -> Any:
    return Image.new("RGB", (width, height), GREY)


def drawn(image: Any, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The smallest box around all pixels of a colour: left, top, right, bottom (excluded)."""
    rows, columns = np.nonzero((np.asarray(image) == colour).all(2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize(("size", "scale"), [((64, 32), 10.0), ((800, 400), 1.0), ((3200, 1000), 0.5)])
def test_a_box_stands_where_it_is_in_the_picture(size: tuple[int, int], scale: float) -> None:
    canvas = Canvas(grey(*size))
    assert canvas.image.size == tuple(round(side * scale) for side in size)
    width, height = size
    box = (width * 0.25, height * 0.25, width * 0.75, height * 0.75)
    canvas.box(box)
    assert drawn(canvas.image, COLOURS[0]) == pytest.approx([side * scale for side in box], abs=5)


def test_boxes_and_points_outside_of_the_picture_and_long_labels_are_cut() -> None:
    canvas = Canvas(grey(64, 64))
    canvas.box((-1e4, -20, 1e4, 900), "a label that is much longer than the picture is wide " * 3, 9)
    canvas.points([(-5, -5), (32, 32), (1e6, 3)], [(0, 1), (1, 2)])
    assert canvas.image.size == (640, 640)
    assert tuple(np.asarray(canvas.image)[320, 320]) == COLOURS[0]


def test_a_mask_tints_its_pixels_and_names_its_classes() -> None:
    canvas = Canvas(grey(640, 640))
    classes = np.zeros((4, 4), np.int64)
    classes[:2, :2], classes[2:, 2:] = 1, 3
    canvas.mask(classes, ["nothing", "cat", "dog", "bird"])
    pixels = np.asarray(canvas.image).astype(int)
    assert tuple(pixels[500, 100]) == GREY and canvas.image.height > 640
    assert abs(pixels[100, 100] - COLOURS[0]).max() < abs(np.subtract(GREY, COLOURS[0])).max() / 2
    assert abs(pixels[500, 500] - COLOURS[2]).max() < abs(np.subtract(GREY, COLOURS[2])).max() / 2
    assert (pixels[640:, :4] == COLOURS[0]).all(2).any() and (pixels[640:, :4] == COLOURS[2]).all(2).any()


def test_axes_hold_curves_bars_and_values_that_are_no_numbers() -> None:
    axes = Axes((0.0, 10.0), (0.0, 1.0), ("s", "probability"), (500, 300))
    axes.band([0, 5, 10], [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    axes.curve([0, 1, 2, 3, 4], [0.0, 1.0, float("nan"), 2.0, 0.5])
    axes.bar((2.0, 4.0), (0.5, 0.75), "C4", 2)
    axes.level(0.5)
    left, top, right, bottom = drawn(axes.image, COLOURS[2])
    inside = (500 - 70 - 16, 300 - 16 - 44)
    assert (left, right) == pytest.approx((70 + inside[0] * 0.2, 70 + inside[0] * 0.4), abs=2)
    assert (top, bottom) == pytest.approx((16 + inside[1] * 0.25, 16 + inside[1] * 0.5), abs=2)
    assert Axes((3.0, 3.0), (0.0, 0.0)).image.size == (960, 360)


def test_lines_are_wrapped_and_none_are_lost() -> None:
    assert render_text(["short"]).height < render_text(["short", "", "word " * 100]).height
    assert render_text([]).width == 900


def test_only_pictures_are_drawn_on(tmp_path: Path) -> None:
    assert picture_of(np.zeros((4, 6, 3), np.uint8)).size == (6, 4)
    for sample in (np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.float32), tmp_path / "absent.png"):
        with pytest.raises(BadInput):
            picture_of(sample)
