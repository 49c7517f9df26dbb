"""Keypoint detection: the turned square around an object and the way back, the two networks, and COCO's keypoints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgekit.bench.metrics.points import pck
from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.keypoint_detection import answer, figures, near_points, samples
from edgekit.tasks.keypoint_detection.pipeline import Keypoints, Region, region

RULE = {"start": 0, "end": 1, "scale": 1.25}


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, -2.0])
def test_a_cut_is_upright_and_its_places_lead_back(angle: float) -> None:
    """A bright spot in the picture stands in the crop where its place says."""
    square = Region(100.0, 80.0, 60.0, angle)
    place = (0.75, 0.3)
    x, y = square.to_pixels(place)
    picture = np.zeros((160, 200, 3), np.uint8)
    picture[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 255
    crop = square.cut(Image.fromarray(picture), 120)
    rows, columns = np.nonzero(crop[..., 0] > 128)
    assert (columns.mean() / 120, rows.mean() / 120) == pytest.approx(place, abs=0.02)


def test_an_object_whose_second_point_is_above_the_first_is_not_turned() -> None:
    square = region({"points": [(50, 80), (50, 40)]}, RULE)
    assert (square.x, square.y, square.side) == (50, 80, 100) and square.angle == pytest.approx(0)
    lying = region({"points": [(50, 80), (90, 80)]}, RULE)  # its head is to the right
    assert lying.to_pixels([0.5, 0.0]) == pytest.approx([100, 80])


def test_a_square_around_a_box_moves_along_the_line_that_is_upright() -> None:
    rule = {"around": "box", "start": 0, "end": 2, "shift": -0.5, "scale": 2.0}
    upright = region({"whole": [40, 60, 60, 100], "points": [(50, 90), (0, 0), (50, 70)]}, rule)
    assert (upright.x, upright.y, upright.side) == (50, 60, 80) and upright.angle == pytest.approx(0)
    # Its fingers point to the right, and so the square moves there.
    lying = region({"whole": [40, 60, 60, 100], "points": [(40, 80), (0, 0), (60, 80)]}, rule)
    assert (lying.x, lying.y) == pytest.approx((70, 80)) and lying.to_pixels([0.5, 0.0]) == pytest.approx([110, 80])


class Detected(Runner):
    """A detector of one body: its hips' middle at (x, y), and its head above."""

    inputs = (TensorSpec("pixels", "uint8", (1, 32, 32, 3)),)
    outputs = (TensorSpec("boxes", "float32", (1, 1, 4)),)

    def __init__(self, logit: float = 5.0, reach: float = 0.25) -> None:
        self._logit, self._reach = logit, reach

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        points = [0.5, 0.5, 0.5, 0.5 - self._reach]
        answers = {"boxes": [[[0.4, 0.4, 0.6, 0.6]]], "logits": [[[self._logit]]], "points": [[points]]}
        return {name: np.array(value, np.float32) for name, value in answers.items()}


class Corners(Runner):
    """A landmark network that sees a corner and the middle of every crop."""

    inputs = (TensorSpec("crop", "uint8", (1, 16, 16, 3)),)
    outputs = (TensorSpec("places", "float32", (1, 2, 2)), TensorSpec("presence", "float32", (1, 1)))

    def __init__(self, presence: float = 0.9) -> None:
        self._presence = presence

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        assert feeds["crop"].shape == (1, 16, 16, 3)
        places = np.array([[[0.0, 0.0], [0.5, 0.5]]], np.float32)
        return {"places": places, "presence": np.array([[self._presence]], np.float32)}


def pipeline(detector: Runner, landmarks: Runner) -> Keypoints:
    boxes = {"height": 32, "width": 32, "labels": ["person"], "activation": "sigmoid", "threshold": 0.5, "overlap": 0.3}
    facts = {"detector": boxes, "region": RULE, "size": 16, "presence": 0.5, "most": 1, "names": ["a", "b"]}
    return Keypoints({"detector": detector, "landmarks": landmarks}, Path(), {**facts, "links": [[0, 1]]})


def test_points_are_in_pixels_of_the_picture() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    found = pipeline(Detected(), Corners()).predict(picture)
    # The circle has a radius of 50, the square 1.25 times its diameter: 125 pixels around (100, 100).
    assert found.output == "person" and found.metric_input[0]["points"] == [[37.5, 37.5], [100.0, 100.0]]
    assert answer(found) == [[[37.5, 37.5], [100.0, 100.0]]]
    assert find("tasks", "keypoint-detection").show(picture, found).size == (640, 640)


@pytest.mark.parametrize(
    "networks", [(Detected(-5.0), Corners()), (Detected(), Corners(0.1)), (Detected(reach=0.0), Corners())]
)
def test_nothing_is_found(networks: tuple[Runner, Runner]) -> None:
    found = pipeline(*networks).predict(np.zeros((20, 20, 3), np.uint8))
    assert found.output == "nothing" and found.details["lines"] == ["nothing"]


def test_options_and_files_that_are_no_pictures(tmp_path: Path) -> None:
    predictor = pipeline(Detected(), Corners())
    with pytest.raises(BadInput, match="no option"):
        predictor.predict(np.zeros((20, 20, 3), np.uint8), top=1)
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(BadInput):
        predictor.predict(tmp_path / "a.png")


def test_agreement_is_a_distance() -> None:
    body = [[0.0, 0.0], [100.0, 0.0]]
    near, far = [[3.0, 0.0], [104.0, 0.0]], [[20.0, 0.0], [100.0, 0.0]]
    assert near_points([[near], [far], [], [body]], [[body], [body], [body], []]) == [True, False, False, False]
    told = figures([[near]], [[body]])
    assert list(told.values()) == pytest.approx([3.5, 0.035])
    assert figures([[]], [[]]) == {}


def test_pck_is_counted_over_labelled_points() -> None:
    truth = {"points": [[0.0, 0.0], None, [50.0, 0.0]], "size": 100}
    other = {"points": [[900.0, 0.0]] * 3}
    mine = {"points": [[19.0, 0.0], [7.0, 7.0], [80.0, 0.0]]}
    assert pck([[other, mine], []], [[truth], [truth]]) == [(1.0, 2.0), (0.0, 2.0)]
    with pytest.raises(BadInput, match="has 3 points"):
        pck([[{"points": [[0, 0]]}]], [[truth]])
    with pytest.raises(BadInput, match="no truth"):
        pck([[]], [None])


def folder(path: Path, keypoints: Any) -> Path:
    annotation = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20], "keypoints": keypoints}
    images = [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}]
    content = {"images": images, "categories": [{"id": 1, "name": "person"}], "annotations": [annotation]}
    (path / "images").mkdir()
    Image.new("RGB", (40, 30)).save(path / "images" / "a.png")
    (path / "annotations.json").write_text(json.dumps(content))
    return path


def test_keypoints_as_coco_writes_them(tmp_path: Path) -> None:
    (sample,) = samples(folder(tmp_path, [3, 4, 2, 0, 0, 0]), ["person"])
    assert sample.truth == [{"points": [[3.0, 4.0], None], "size": 20.0}]


@pytest.mark.parametrize("keypoints", [None, [], [1, 2], [1, 2, "x"], [1, 2, float("inf")]])
def test_keypoints_that_are_none(tmp_path: Path, keypoints: Any) -> None:
    with pytest.raises(BadInput, match=r"keypoints|COCO's form"):
        samples(folder(tmp_path, keypoints), ["person"])
