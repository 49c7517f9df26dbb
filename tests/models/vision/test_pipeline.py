"""Image classification: every kind of picture that people have, data folders, and the reference on real pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgekit.common import images, package_data
from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks import image_classification as pipeline
from edgekit.tasks.common import pictures
from edgekit.tasks.image_classification import samples

FACTS = {"height": 8, "width": 6, "labels": ["dark", "bright"], "scale": 1 / 256, "zero_point": -128}


class Brightness(Runner):
    """A network whose score is the mean of its pixels."""

    inputs = (TensorSpec("pixels", "int8", (1, 8, 6, 3)),)
    outputs = (TensorSpec("scores", "int8", (1, 2)),)

    def __init__(self) -> None:
        self.seen: list[NDArray[Any]] = []

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        pixels = feeds["pixels"]
        assert (pixels.dtype, pixels.shape) == (np.int8, (1, 8, 6, 3))
        self.seen.append(pixels)
        bright = int(np.rint(pixels.mean()))
        return {"scores": np.array([[-1 - bright, bright]], np.int8)}


@pytest.fixture
def classifier() -> pipeline.Classifier:
    return pipeline.Classifier({"network": Brightness()}, Path(), FACTS)


def saved(path: Path, mode: str, colour: Any, size: tuple[int, int] = (40, 30), **options: Any) -> Path:
    Image.new(mode, size, colour).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "colour", "label", "note"),
    [
        ("a.png", "RGB", (250, 250, 250), "bright", ""),
        ("a.jpg", "RGB", (3, 3, 3), "dark", ""),
        ("a.jpg", "CMYK", (0, 0, 0, 0), "bright", "CMYK"),
        ("a.png", "L", 240, "bright", ""),
        ("a.png", "I;16", 60_000, "bright", "more than 8 bits"),
        ("a.png", "I;16", 300, "dark", "more than 8 bits"),
        ("a.png", "RGBA", (240, 240, 240, 0), "bright", "transparent"),
        ("a.png", "LA", (240, 10), "bright", "transparent"),
        ("a.png", "P", 0, "dark", ""),
        ("a.bmp", "RGB", (200, 200, 200), "bright", ""),
        ("a.webp", "RGB", (200, 200, 200), "bright", ""),
    ],
)
def test_kinds_of_pictures(
    tmp_path: Path, classifier: pipeline.Classifier, name: str, mode: str, colour: Any, label: str, note: str
) -> None:
    found = classifier.predict(saved(tmp_path / name, mode, colour))
    assert found.output == label
    assert note in " ".join(found.details["notes"])
    assert bool(note) == bool(found.details["notes"])
    assert sum(entry["score"] for entry in found.details["scores"]) == pytest.approx(1, abs=0.02)


def test_an_animation_is_its_first_frame(tmp_path: Path, classifier: pipeline.Classifier) -> None:
    frames = [Image.new("RGB", (20, 20), (value,) * 3) for value in (255, 0, 10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found = classifier.predict(str(tmp_path / "a.gif"))
    assert found.output == "bright"
    assert "3 frames" in found.details["notes"][0]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (20_000, 3)])
def test_extreme_sizes(tmp_path: Path, classifier: pipeline.Classifier, size: tuple[int, int]) -> None:
    assert classifier.predict(saved(tmp_path / "a.png", "RGB", (255, 255, 255), size)).output == "bright"


def test_more_pixels_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_PIXELS", 1000)
    with pytest.raises(BadInput, match="40 x 30 pixels"):
        pictures.open_image(saved(tmp_path / "a.png", "RGB", 0))


def test_twenty_thousand_squared_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(BadInput, match=r"20000 x 20000|too many pixels"):
        pictures.open_image(path)


def test_a_picture_taken_on_its_side_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    saved(tmp_path / "a.jpg", "RGB", 0, (40, 30), exif=exif)
    assert pictures.open_image(tmp_path / "a.jpg")[0].size == (30, 40)


def damaged(tmp_path: Path) -> list[Path]:
    whole = saved(tmp_path / "whole.png", "RGB", (1, 2, 3)).read_bytes()
    jpeg = saved(tmp_path / "whole.jpg", "RGB", (1, 2, 3), (300, 300)).read_bytes()
    contents = {"cut.png": whole[:60], "cut.jpg": jpeg[: len(jpeg) // 2], "text.png": b"hello", "empty.png": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in contents]


def test_what_is_no_picture(tmp_path: Path, classifier: pipeline.Classifier) -> None:
    for path in [*damaged(tmp_path), tmp_path / "absent.png", tmp_path]:
        with pytest.raises(BadInput, match="is a folder" if path == tmp_path else path.name):
            classifier.predict(path)


@pytest.mark.parametrize(
    "pixels", [np.zeros((8, 6), np.uint8), np.zeros((8, 6, 3), np.float32), np.zeros((0, 6, 3), "u1")]
)
def test_arrays_that_are_no_pixels(classifier: pipeline.Classifier, pixels: NDArray[Any]) -> None:
    with pytest.raises(BadInput, match="uint8"):
        classifier.predict(pixels)


def test_pixels_become_int8_by_a_flipped_bit() -> None:
    network = Brightness()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3)).astype(np.uint8)
    pipeline.Classifier({"network": network}, Path(), FACTS).predict(pixels)
    assert np.array_equal(network.seen[0][0], (pixels.astype(int) - 128).astype(np.int8))


def test_options(classifier: pipeline.Classifier) -> None:
    pixels = np.zeros((8, 6, 3), np.uint8)
    assert len(classifier.predict(pixels, top=1).details["scores"]) == 1
    for options in ({"colour": 1}, {"top": "abc"}, {"top": 0}, {"top": 1.5}):
        with pytest.raises(BadInput, match=next(iter(options))):
            classifier.predict(pixels, **options)


# --- data folders ----------------------------------------------------------------------------------------------------


def labelled(folder: Path, rows: list[tuple[str, str]], images: tuple[str, ...] = ("a.png", "b.png")) -> Path:
    (folder / "images").mkdir(parents=True)
    for name in images:
        saved(folder / "images" / name, "RGB", 0)
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "class_index"), *rows])
    return folder


def test_a_labelled_folder(tmp_path: Path) -> None:
    found = samples(labelled(tmp_path, [("a.png", "1"), ("b.png", "0")]), ["no", "yes"])
    assert [(sample.name, sample.truth) for sample in found] == [("a.png", "yes"), ("b.png", "no")]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([("a.png", "2")], "out of range"),
        ([("a.png", "-1")], "out of range"),
        ([("a.png", "1"), ("a.png", "1")], "twice"),
        ([("c.png", "1")], "no image"),
        ([("../labels.csv", "1")], "no image"),
        ([("a.png", "yes")], "line 2"),
        ([("", "1")], "line 2"),
    ],
)
def test_a_labels_file_that_cannot_be_used(tmp_path: Path, rows: list[tuple[str, str]], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        samples(labelled(tmp_path, rows), ["no", "yes"])


def test_a_folder_without_labels(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    saved(tmp_path / "deep" / "a.PNG", "RGB", 0, format="PNG")
    assert [(sample.name, sample.truth) for sample in samples(tmp_path, ["x"])] == [("deep/a.PNG", None)]
    (tmp_path / "deep" / "a.PNG").unlink()
    with pytest.raises(BadInput, match="nor any picture"):
        samples(tmp_path, ["x"])


# --- the models ------------------------------------------------------------------------------------------------------


def test_the_golden_picture_is_of_a_person(tmp_path: Path) -> None:
    """Looked at: a portrait of the astronaut Eileen Collins (NASA, public domain)."""
    path = tmp_path / "golden.png"
    path.write_bytes(package_data.read(find("models", "mobilenet-v1-025-vww").task.golden))
    image, notes = pictures.open_image(path)
    assert (image.size, notes) == ((192, 192), [])
