"""Image segmentation: from logits to a mask of the picture's size, runs, and folders of masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.image_segmentation import answer, figures, same_areas, samples
from edgekit.tasks.image_segmentation.segmenter import Segmenter, mask_of, runs_of

FACTS = {"height": 16, "width": 16, "labels": ["background", "person"], "activation": "sigmoid"}


class Bright(Runner):
    """A network that takes bright pixels for a person."""

    inputs = (TensorSpec("pixels", "uint8", (1, 16, 16, 3)),)
    outputs = (TensorSpec("logits", "float32", (1, 16, 16, 1)),)

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        return {"logits": feeds["pixels"][..., :1].astype(np.float32) - 128}


@pytest.fixture
def segmenter() -> Segmenter:
    return Segmenter({"network": Bright()}, Path(), FACTS)


def half(height: int, width: int) -> NDArray[Any]:
    """A picture whose right half is bright."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :] = 255
    return picture


def test_a_mask_has_the_size_of_the_picture(segmenter: Segmenter) -> None:
    found = segmenter.predict(half(64, 32))
    assert found.output == "background 50%, person 50%"
    assert found.score.shape == (64, 32) and (found.score[:, 18:] == 1).all() and (found.score[:, :14] == 0).all()
    assert (mask_of(found.details) == found.score).all()
    image = find("tasks", "image-segmentation").show(half(64, 32), found)
    assert image.width == 320 and image.height > 640


def test_a_huge_picture_gets_a_smaller_mask(segmenter: Segmenter) -> None:
    assert segmenter.predict(half(10, 5000)).score.shape == (4, 2048)


def test_odd_pictures_and_options(segmenter: Segmenter) -> None:
    assert segmenter.predict(np.zeros((1, 1, 3), np.uint8)).output == "background 100%"
    with pytest.raises(BadInput, match="no option"):
        segmenter.predict(half(8, 8), top=3)
    for sample in (np.zeros((8, 8), np.uint8), "absent.png"):
        with pytest.raises(BadInput):
            segmenter.predict(sample)
    with pytest.raises(BadInput, match="255"):
        Segmenter({"network": Bright()}, Path(), {**FACTS, "labels": [str(i) for i in range(300)]})


def test_runs() -> None:
    mask = np.array([[0, 0, 2], [2, 2, 1]], np.uint8)
    assert runs_of(mask) == [0, 2, 2, 3, 1, 1]
    assert (mask_of({"runs": runs_of(mask), "size": [2, 3]}) == mask).all()


def test_areas_agree(segmenter: Segmenter) -> None:
    right, left = (answer(segmenter.predict(picture)) for picture in (half(64, 64), half(64, 64)[:, ::-1].copy()))
    moved = answer(segmenter.predict(np.roll(half(64, 64), 1, axis=1)))
    assert sum(right[1::2]) == 64 * 64
    assert same_areas([right, moved, left], [right, right, right]) == [True, True, False]
    assert figures([right, left], [right, right])["least IoU of a picture"] == pytest.approx(0.0, abs=0.05)
    assert figures([], []) == {}


def folder(path: Path, mask: Any) -> Path:
    for name in ("images", "masks"):
        (path / name).mkdir()
    Image.new("RGB", (4, 3)).save(path / "images" / "a.jpg")
    if mask is not None:
        mask.save(path / "masks" / "a.png")
    return path


def test_a_folder_of_masks(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 1, 255]] * 3, np.uint8)
    (sample,) = samples(folder(tmp_path, Image.fromarray(mask)), ["background", "person"])
    assert (sample.truth == mask).all()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "no mask a.png"),
        (Image.new("L", (5, 3)), "5 x 3 pixels"),
        (Image.new("RGB", (4, 3)), "of mode RGB"),
        (Image.new("L", (4, 3), 2), "has the class 2"),
    ],
)
def test_masks_that_do_not_fit(tmp_path: Path, mask: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        samples(folder(tmp_path, mask), ["background", "person"])


def test_damaged_masks_and_folders_without_pictures(tmp_path: Path) -> None:
    (folder(tmp_path, None) / "masks" / "a.png").write_text("no picture")
    with pytest.raises(BadInput, match=r"a\.png is not an image"):
        samples(tmp_path, ["background", "person"])
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(BadInput, match="no picture in images"):
        samples(tmp_path, ["background", "person"])
