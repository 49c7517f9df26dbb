"""Object detection: from outputs to boxes in the picture, doubles, and COCO folders of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.numerics.boxes import match_boxes, non_maximum_suppression, overlaps
from edgekit.registry import find
from edgekit.tasks.common.vision.detector import Detector
from edgekit.tasks.common.vision.placing import place_sample
from edgekit.tasks.object_detection import answer, figures, same_boxes, samples

SIDE = 32
FACTS = {
    "height": SIDE,
    "width": SIDE,
    "labels": ["face", "hand"],
    "activation": "sigmoid",
    "threshold": 0.5,
    "overlap": 0.3,
    "resize": {"letterbox": True},
}


class Fixed(Runner):
    """A network that gives the same boxes whatever it sees."""

    inputs = (TensorSpec("pixels", "uint8", (1, SIDE, SIDE, 3)),)
    outputs = (TensorSpec("boxes", "float32", (1, 4, 4)), TensorSpec("logits", "float32", (1, 4, 2)))

    def __init__(self, boxes: Any, logits: Any) -> None:
        self._answer = {"boxes": np.array([boxes], np.float32), "logits": np.array([logits], np.float32)}
        self.seen: list[NDArray[Any]] = []

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        self.seen.append(feeds["pixels"])
        return self._answer


BOXES = [[0.25, 0.25, 0.75, 0.75], [0.26, 0.25, 0.75, 0.75], [0.0, 0.4, 0.2, 0.5], [0.5, 0.5, 0.4, 0.6]]
LOGITS = [[3.0, -9.0], [2.0, -9.0], [-9.0, 1.0], [9.0, -9.0]]


def test_the_best_of_doubles_stays_and_positions_are_the_pictures() -> None:
    network = Fixed(BOXES, LOGITS)
    found = Detector({"network": network}, Path(), FACTS).predict(np.full((50, 100, 3), 200, np.uint8))
    first, second = found.details["boxes"]
    # 100 x 50 lies in the middle of a square: 0.25 to 0.75 of the square's height is all of the picture's.
    assert (first["label"], first["box"]) == ("face", pytest.approx([25, 0, 75, 50], abs=0.01))
    assert (second["label"], second["box"]) == ("hand", pytest.approx([0, 15, 20, 25], abs=0.01))
    assert network.seen[0][0, 0].max() == 0 and network.seen[0][0, 16].min() == 200


def test_softmax_has_a_class_for_nothing() -> None:
    logits = [[9.0, 0.0, 0.0], [0.0, 0.0, 9.0], [0.0, 9.0, 0.0], [0.0, 0.0, 0.0]]
    facts = {**FACTS, "activation": "softmax", "overlap": 1.0}
    found = Detector({"network": Fixed(BOXES, logits)}, Path(), facts).predict(np.zeros((32, 32, 3), np.uint8))
    assert found.output == "face, hand"


def test_options_and_odd_pictures(tmp_path: Path) -> None:
    detector = Detector({"network": Fixed(BOXES, LOGITS)}, Path(), FACTS)
    picture = np.zeros((40, 30, 3), np.uint8)
    assert detector.predict(picture, threshold=0.99).output == "nothing"
    for options in ({"threshold": 2}, {"threshold": "x"}, {"top": 3}):
        with pytest.raises(BadInput):
            detector.predict(picture, **options)
    for size in ((1, 1), (1, 700), (700, 1)):
        Image.new("RGB", size).save(tmp_path / "odd.png")
        assert detector.predict(tmp_path / "odd.png").details["size"] == list(size)
    (tmp_path / "text.png").write_text("no picture")
    for sample in (tmp_path / "text.png", np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(BadInput):
            detector.predict(sample)


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.booleans())
def test_positions_find_their_way_back(width: int, height: int, letterbox: bool) -> None:
    place = place_sample(np.zeros((height, width, 3), np.uint8), {"letterbox": letterbox}, 64, 48)
    corners = np.array([place.corner, np.add(place.corner, place.extent)])
    assert place.back(corners) == pytest.approx(np.array([[0, 0], [width, height]]), abs=1e-6)
    assert place.pixels.shape == (64, 48, 3)


def test_a_rule_that_cuts_has_no_way_back() -> None:
    with pytest.raises(BadInput, match="no way back"):
        place_sample(np.zeros((4, 4, 3), np.uint8), {"short_side": 8}, 8, 8)


def test_overlaps_pairs_and_suppression() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30], [5, 5, 5, 9]]
    assert overlaps(boxes, boxes)[0] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert overlaps([], boxes).shape == (0, 4)
    assert non_maximum_suppression(boxes, [0.5, 0.9, 0.1, 0.2], 0.3, 10) == [1, 3, 2]
    assert non_maximum_suppression(boxes, [0.5, 0.9, 0.1, 0.2], 0.3, 1) == [1]
    assert match_boxes(boxes[:2], boxes[1:3], 0.5) == [(1, 0, 1.0)]


def test_answers_agree_where_every_box_has_its_own() -> None:
    one, moved, other = ["face", 0, 0, 10, 10], ["face", 0, 0, 10, 7], ["hand", 0, 0, 10, 10]
    reference: list[Any] = [[one], [one], [one], [one], [], []]
    answers: list[Any] = [[moved], [other], [one, one], [], [], [one]]
    assert same_boxes(answers, reference) == [True, False, False, False, True, False]
    assert figures(answers, reference)["mean IoU of matched boxes"] == pytest.approx((0.7 + 1.0) / 2)
    assert figures([[]], [[]]) == {}


def test_the_answer_of_the_task_is_what_is_compared() -> None:
    found = Detector({"network": Fixed(BOXES, LOGITS)}, Path(), FACTS).predict(np.zeros((32, 32, 3), np.uint8))
    assert answer(found)[0] == ["face", 8.0, 8.0, 24.0, 24.0]
    image = find("tasks", "object-detection").show(np.zeros((32, 32, 3), np.uint8), found)
    assert image.size == (640, 640) and np.asarray(image).max() > 100


CATEGORIES = [{"id": 7, "name": "face"}]
IMAGES = [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}]


def folder(path: Path, **changes: Any) -> Path:
    annotation = {"id": 5, "image_id": 1, "category_id": 7, "bbox": [1, 2, 10, 20], "iscrowd": 0}
    content = {"images": IMAGES, "categories": CATEGORIES, "annotations": [annotation]}
    annotation |= changes.pop("annotation", {})
    (path / "images").mkdir()
    Image.new("RGB", (40, 30)).save(path / "images" / "a.png")
    (path / "annotations.json").write_text(json.dumps(content | changes))
    return path


def test_a_folder_of_coco(tmp_path: Path) -> None:
    (sample,) = samples(folder(tmp_path), ["face"])
    assert sample.name == "a.png"
    assert sample.truth == [{"label": "face", "box": [1.0, 2.0, 11.0, 22.0], "crowd": False}]


def test_pictures_alone_have_no_truth(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert [sample.truth for sample in samples(tmp_path, ["face"])] == [None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotation": {"bbox": [35, 2, 10, 20]}}, "outside of its picture"),
        ({"annotation": {"bbox": [-4, 2, 10, 20]}}, "outside of its picture"),
        ({"annotation": {"bbox": [1, 2, 0, 20]}}, "without an area"),
        ({"annotation": {"bbox": None}}, "no bbox"),
        ({"annotation": {"bbox": [1, 2, 3]}}, "bbox"),
        ({"annotation": {"bbox": [1, 2, 3, float("nan")]}}, "COCO's form"),
        ({"annotation": {"category_id": 8}}, "does not know"),
        ({"annotation": {"category_id": True}}, "category_id"),
        ({"annotation": {"image_id": 2}}, "not listed"),
        ({"categories": [{"id": 7, "name": "zebra"}]}, "does not know"),
        ({"categories": 3}, "categories"),
        ({"images": [{**IMAGES[0], "file_name": "../a.png"}]}, "no image"),
        ({"images": [{**IMAGES[0], "file_name": "b.png"}]}, "no image"),
        ({"images": [{"id": 1, "file_name": "a.png"}]}, "no width and height"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        samples(folder(tmp_path, **changes), ["face"])


def test_a_file_that_is_no_coco_at_all(tmp_path: Path) -> None:
    for text in ("{", "[]", "{}"):
        (tmp_path / "annotations.json").write_text(text)
        with pytest.raises(BadInput):
            samples(tmp_path, ["face"])
