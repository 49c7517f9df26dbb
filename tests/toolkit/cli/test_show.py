"""`run --show`: drawings of answers beside the printed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgekit.pipeline.exporting import export


def test_an_answer_of_text_is_not_drawn(do_json: Any, bundle: Path, toy: Any, tmp_path: Path) -> None:
    code, error = do_json("run", bundle, toy.data / "0.npy", "--show", tmp_path / "a.png")
    assert code == 2 and error["error"] == "Unsupported" and "draws nothing" in error["message"]
    assert "image-classification" in error["hint"] and not list(tmp_path.glob("*.png"))


def test_a_drawing_is_a_png(do_json: Any, bundle: Path, toy: Any, tmp_path: Path) -> None:
    code, error = do_json("run", bundle, toy.data / "0.npy", "--show", tmp_path / "a.jpg")
    assert code == 2 and error["error"] == "BadInput" and "--show answer.png" in error["hint"]


@pytest.mark.real
def test_each_answer_has_its_drawing(do: Any, do_json: Any, shared_data: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    export("mobilenet-v1-025-vww", precision="fp32", out=bundle, evidence=False, mirror=shared_data.parent / "models")
    pictures = [tmp_path / "small.png", tmp_path / "large.png"]
    for place, side in zip(pictures, (50, 700), strict=True):
        Image.new("RGB", (side, side), (9, 99, 199)).save(place)
    shown = tmp_path / "out" / "answer.png"
    code, out, err = do("run", bundle, pictures[0], "--show", shown)
    assert code == 0 and out.strip() in ("person", "no person") and str(shown) in err
    with Image.open(shown) as image:
        assert image.width == 640 and image.height > 640
    code, answers = do_json("run", bundle, pictures[0], tmp_path / "absent.png", pictures[1], "--show", shown)
    drawings = [answer.get("drawing") for answer in answers]
    assert code == 2 and drawings == [str(shown.with_name("answer-1.png")), None, str(shown.with_name("answer-3.png"))]
    assert sorted(path.name for path in shown.parent.iterdir()) == ["answer-1.png", "answer-3.png", "answer.png"]
