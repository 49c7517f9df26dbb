"""Reading lines: cutting out, parting, turning, letters from classes, their order; and data folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgekit.bench.metrics import cer
from edgekit.core import Prediction, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.image_to_text import samples
from edgekit.tasks.image_to_text.cutting import cut, pad_to_width, pieces
from edgekit.tasks.image_to_text.reader import TextReader, letters

TASK = find("tasks", "image-to-text")


def test_letters_are_classes_without_repetitions_and_blanks() -> None:
    steps = [1, 1, 0, 1, 2, 2, 3, 0, 0]
    made = np.full((len(steps), 4), 0.1, np.float32)
    made[range(len(steps)), steps] = 0.7
    made = np.log(made)
    text, odds = letters(made, ["a", "b", " "])
    assert text == "aab " and odds == pytest.approx([0.7] * 4)
    assert letters(made[7:], ["a", "b", " "]) == ("", [])


def test_a_turned_rectangle_is_cut_out_upright() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:60, 20:50] = (255, 0, 0)  # a red half at the left, a blue one at the right
    picture[40:60, 50:80] = (0, 0, 255)
    corners = np.array([[20, 40], [80, 40], [80, 60], [20, 60]], np.float64)
    line = np.asarray(cut(Image.fromarray(picture), corners))
    assert line.shape == (20, 60, 3) and line[10, 5].tolist() == [255, 0, 0] and line[10, 55].tolist() == [0, 0, 255]
    turned = Image.fromarray(picture).rotate(-30, Image.Resampling.BICUBIC)
    angle = np.deg2rad(30)
    back = (corners - 50) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + 50
    line = np.asarray(cut(turned, back))
    assert line.shape == (20, 60, 3) and line[10, 8][0] > 240 and line[10, 52][2] > 240


def test_a_line_that_stands_is_laid_down() -> None:
    picture = np.zeros((100, 40, 3), np.uint8)
    picture[10:50, 10:30] = (255, 0, 0)  # above
    line = np.asarray(cut(Image.fromarray(picture), np.array([[10, 10], [30, 10], [30, 90], [10, 90]], np.float64)))
    assert line.shape == (20, 80, 3) and line[10, 5][0] == 255 and line[10, 75][0] == 0


def test_a_long_line_is_parted_where_nothing_stands() -> None:
    pixels = np.full((24, 400, 3), 255, np.uint8)
    pixels[8:16, ::4] = 0
    pixels[:, 130:142] = 255  # a gap
    made = pieces(Image.fromarray(pixels), 24, 150)
    assert sum(piece.shape[1] for piece in made) == 400 and all(piece.shape[1] <= 150 for piece in made)
    assert 130 <= made[0].shape[1] <= 142
    assert [piece.shape for piece in pieces(Image.fromarray(pixels[:, :100]), 48, 320)] == [(48, 200, 3)]


def test_beside_a_line_stands_grey_and_a_wide_one_is_squeezed() -> None:
    whole = pad_to_width(np.zeros((4, 6, 3), np.uint8), 10)
    assert whole.shape == (1, 4, 10, 3) and whole[0, :, :6].max() == 0 and set(whole[0, :, 6:].ravel()) == {128}
    assert pad_to_width(np.zeros((4, 60, 3), np.uint8), 10).shape == (1, 4, 10, 3)


class Network(Runner):
    """A network that answers by a function of its input."""

    def __init__(self, name: str, answer: Any) -> None:
        self.inputs = (TensorSpec(name, "uint8", (1, 8, 8, 3)),)
        self.outputs = ()
        self._name, self._answer = name, answer

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        answers: dict[str, NDArray[Any]] = self._answer(feeds[self._name])
        return answers


def reader(turned: float = 0.1) -> TextReader:
    """Text is what is red; a line says "a" if it is bright at its left, else "b"."""

    def chances(pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"chances": (pixels[..., 0] > 200).astype(np.float32)}

    def read(line: NDArray[Any]) -> dict[str, NDArray[Any]]:
        made = np.full((1, 3, 3), 0.1, np.float32)
        made[0, :, 0] = 0.6
        bright = float(line[0, :, 4:12, 1].mean()) > float(line[0, :, 20:40, 1].mean())
        made[0, 1] = (0.05, 0.9, 0.05) if bright else (0.05, 0.05, 0.9)
        return {"logits": np.log(made)}

    def turn(line: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"probabilities": np.array([[1 - turned, turned]], np.float32)}

    facts = {
        "side": 96,
        "lines": {"pixel": 0.3, "line": 0.3, "growth": 0.0, "most": 10},
        "height": 12,
        "width": 80,
        "turn_width": 24,
        "turned": 0.9,
        "least": 0.5,
        "characters": ["a", "b"],
    }
    parts = {"detector": Network("pixels", chances), "turn": Network("line", turn)}
    return TextReader({**parts, "recogniser": Network("line", read)}, Path(), facts)


def page() -> NDArray[np.uint8]:
    """Three lines: two side by side, and a third below; the first and the third are bright at their left."""
    picture = np.zeros((96, 96, 3), np.uint8)
    for top, left, bright in ((10, 5, True), (12, 55, False), (60, 5, True)):
        picture[top : top + 12, left : left + 36] = (255, 0, 0)
        start = left if bright else left + 18
        picture[top : top + 12, start : start + 18, 1] = 255
    return picture


def test_lines_are_read_in_order_and_placed_in_the_picture() -> None:
    found = reader().predict(page())
    assert found.output == "a\nb\na"
    first = found.details["texts"][0]
    assert first["score"] == pytest.approx(0.9) and first["corners"][0] == pytest.approx([5, 10], abs=2)
    assert found.details["lines"][0] == "0.900  a"
    shown = TASK.show(page(), found)
    assert shown.width == 640 and shown.height > 640, "the texts stand below"


def test_for_parity_strips_are_read_whatever_is_detected() -> None:
    """Every part is called with the same pixels, also where nothing is detected."""
    dark = np.zeros((40, 60, 3), np.uint8)
    assert reader().predict(dark).output == "" and reader().probe(dark).output == "b\nb\nb\nb"


def test_a_line_upside_down_is_turned() -> None:
    found = reader(turned=0.95).predict(page())
    assert found.output == "b\na\nb"
    assert found.details["texts"][0]["corners"][0] == pytest.approx([41, 22], abs=2), "where the text begins"


def test_nothing_and_what_is_not_sure() -> None:
    nothing = reader().predict(np.zeros((20, 30, 3), np.uint8))
    assert (nothing.output, nothing.details["lines"]) == ("", ["no text"])
    assert reader().predict(page(), least=0.95).output == ""
    assert TASK.show(np.zeros((20, 30, 3), np.uint8), nothing).width == 640


@pytest.mark.parametrize("options", [{"top": 3}, {"least": 2}, {"least": "x"}, {"least": True}])
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        reader().predict(page(), **options)


def test_agreement_is_the_same_text_and_letters_in_common() -> None:
    agreement = TASK.agreement
    answers = [agreement.answer(Prediction("ab c")), "xyz", ""]
    assert agreement.same(answers, ["ab c", "xya", ""]) == [True, False, True]
    assert list(agreement.figures(answers, ["ab c", "xya", ""]).values()) == pytest.approx([6 / 7])
    assert list(agreement.figures(["a"], [""]).values()) == [0.0]


def test_character_errors_are_counted_with_white_space_as_one_space() -> None:
    assert cer(["ab\n c", "", "abc"], ["ab c", "xy", ""]) == [(0.0, 4.0), (2.0, 2.0), (3.0, 0.0)]
    with pytest.raises(BadInput):
        cer(["a"], [None])


def test_data_folders(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert [(sample.truth, sample.name) for sample in samples(tmp_path)] == [(None, "a.png")]
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"image": "a.png", "text": "ab"}) + "\n\n")
    assert [(sample.truth, sample.name) for sample in samples(tmp_path)] == [("ab", "a.png")]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"image": "a.png"}', '{"image": "b.png", "text": ""}', '{"image": 3, "text": ""}']
)
def test_data_folders_that_are_none(tmp_path: Path, line: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "manifest.jsonl").write_text(line)
    with pytest.raises(BadInput, match="line 1"):
        samples(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="neither"):
        samples(tmp_path / "empty")
