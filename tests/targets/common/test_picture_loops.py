"""The loops of tasks about pictures, in each language, beside the tasks' Python: the same answers. Toys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from helpers.devices.task_loops import Pair, Start, Watched
from numpy.typing import NDArray

PIL_BEFORE_13 = int(PIL.__version__.split(".")[0]) < 13


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _boxes(feeds: Any, classes: int, points: int, count: int = 60) -> dict[str, Any]:
    """Boxes that follow from the pixels, in heaps, so that many overlap."""
    rng = np.random.default_rng(int(next(iter(feeds.values())).astype(np.int64).sum()) % 2**32)
    middles = rng.uniform(-0.1, 1.1, (6, 2))[rng.integers(0, 6, count)] + rng.normal(0, 0.02, (count, 2))
    half = rng.uniform(0.0, 0.2, (count, 2))
    made = {
        "boxes": np.concatenate([middles - half, middles + half], 1)[None].astype(np.float32),
        "logits": rng.normal(0, 2, (1, count, classes)).round(1).astype(np.float32),
    }
    places = rng.uniform(-0.2, 1.2, (1, count, 2 * points)).astype(np.float32)
    return {**made, "points": places} if points else made


def _detector(height: int, width: int, classes: int, points: int) -> Watched:
    outputs: dict[str, Any] = {"boxes": ("float32", (1, 60, 4)), "logits": ("float32", (1, 60, classes))}
    return Watched(lambda feeds: _boxes(feeds, classes, points), {"pixels": ("uint8", (1, height, width, 3))}, outputs)


@pytest.mark.parametrize(
    ("activation", "points", "resize"),
    [
        ("sigmoid", 6, {"letterbox": True, "filter": "bilinear"}),
        ("softmax", 0, {"filter": "bicubic"}),
        ("sigmoid", 2, None),
    ],
)
def test_boxes(start: Start, tmp_path: Path, activation: str, points: int, resize: Any) -> None:
    labels = ["face", "hand", "paw"]
    part = _detector(48, 64, 3 + (activation == "softmax"), points)
    facts = {"height": 48, "width": 64, "labels": labels, "activation": activation, "threshold": 0.5, "overlap": 0.3}
    facts |= {"resize": resize} if resize else {}
    compared = 0
    with Pair(tmp_path, start, "object-detection", {"network": part}, facts) as pair:
        for seed, (height, width) in enumerate([(48, 64), (31, 90), (200, 20), (64, 48), (1, 1)]):
            if PIL_BEFORE_13 and height > 100:
                continue  # the other pass came first then
            pixels = picture(seed, height, width)
            threshold = 0.5 + 0.125 * (seed % 2)
            handed = {"pixels": pixels, "threshold": np.array([threshold], np.float32)}
            expected, answer = pair.both(pixels, handed, threshold=threshold)
            numbers = [
                [box["score"], *box["box"], *np.reshape(box.get("points", []), -1)] for box in expected.details["boxes"]
            ]
            np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(numbers), -1), rtol=1e-6, atol=1e-5)
            assert answer["text"] == expected.output
            for mine, other in pair.fed("network", "pixels"):
                np.testing.assert_array_equal(mine, other)
            compared += len(numbers)
        assert compared > 20, "a test of nothing would prove nothing"
        assert "RGB pixels" in pair.refused(pixels=picture(0, 5, 5)[:, :, :1])


def _logits(feeds: Any, classes: int) -> dict[str, Any]:
    rng = np.random.default_rng(int(feeds["pixels"].astype(np.int64).sum()) % 2**32)
    return {"logits": rng.normal(0, 1, (1, 24, 32, classes)).astype(np.float32)}


@pytest.mark.parametrize(("classes", "letterbox"), [(1, False), (3, False), (3, True), (1, True)])
def test_areas(start: Start, tmp_path: Path, classes: int, letterbox: bool) -> None:
    outputs = {"logits": ("float32", (1, 24, 32, classes))}
    part = Watched(lambda feeds: _logits(feeds, classes), {"pixels": ("uint8", (1, 48, 64, 3))}, outputs)
    labels = ["nothing", "person", "chair"][: max(2, classes)]
    facts = {"height": 48, "width": 64, "labels": labels, "resize": {"filter": "bilinear", "letterbox": letterbox}}
    facts["activation"] = "sigmoid" if classes == 1 else "softmax"
    with Pair(tmp_path, start, "image-segmentation", {"network": part}, facts) as pair:
        for seed, (height, width) in enumerate([(48, 64), (90, 31), (24, 32), (300, 200), (20, 2100)]):
            pixels = picture(seed, height, width)
            expected, answer = pair.both(pixels, {"pixels": pixels})
            np.testing.assert_array_equal(answer["pixels"], expected.metric_input)
            assert answer["text"] == expected.output


@pytest.mark.parametrize("around", ["circle", "box"])
def test_keypoints(start: Start, tmp_path: Path, around: str) -> None:
    def landmarks(feeds: Any) -> dict[str, Any]:
        rng = np.random.default_rng(int(feeds["crop"].astype(np.int64).sum()) % 2**32)
        presence = np.full((1, 1), rng.uniform(0.3, 1.0), np.float32)
        return {"places": rng.uniform(-0.1, 1.1, (1, 5, 2)).astype(np.float32), "presence": presence}

    outputs: dict[str, Any] = {"places": ("float32", (1, 5, 2)), "presence": ("float32", (1, 1))}
    parts = {
        "detector": _detector(48, 48, 1, 3),
        "landmarks": Watched(landmarks, {"crop": ("uint8", (1, 40, 40, 3))}, outputs),
    }
    region = {"start": 0, "end": 1, "scale": 1.25} if around == "circle" else {}
    region |= {"around": "box", "start": 0, "end": 2, "shift": -0.5, "scale": 2.6} if around == "box" else {}
    detector = {
        "height": 48, "width": 48, "labels": ["hand"], "activation": "sigmoid", "threshold": 0.5, "overlap": 0.3,
        "resize": {"letterbox": True, "filter": "bilinear"},
    }  # fmt: skip
    facts = {"detector": detector, "region": region, "size": 40, "presence": 0.5, "most": 4, "labels": ["hand"]}
    facts |= {"names": list("abcde"), "links": [[0, 1], [1, 2]]}
    compared = 0
    with Pair(tmp_path, start, "keypoint-detection", parts, facts) as pair:
        for seed, (height, width) in enumerate([(120, 90), (48, 48), (60, 200), (33, 77)]):
            pixels = picture(seed, height, width)
            pixels = np.repeat(np.repeat(pixels, 2, 0), 2, 1)[:height, :width]
            expected, answer = pair.both(pixels, {"pixels": pixels})
            crops = pair.fed("landmarks", "crop")
            for mine, other in crops:
                np.testing.assert_array_equal(mine, other)
            numbers = [[thing["score"], *np.reshape(thing["points"], -1)] for thing in expected.metric_input]
            np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(numbers), -1), rtol=1e-6, atol=1e-4)
            assert answer["text"] == expected.output
            compared += len(numbers)
    assert compared > 3, "a test of nothing would prove nothing"


def _map(feeds: Any, side: int) -> dict[str, Any]:
    """Chances of text: some turned rectangles, sharp or soft."""
    rng = np.random.default_rng(int(feeds["pixels"].astype(np.int64).sum()) % 2**32)
    rows, columns = np.mgrid[:side, :side]
    chances = rng.uniform(0, 0.2, (side, side))
    for _ in range(6):
        x, y, angle = (
            rng.uniform(10, side - 10),
            rng.uniform(10, side - 10),
            rng.normal(0, 0.3) + rng.choice([0, 0, 1.5]),
        )
        along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        inside = (abs(along) < rng.uniform(2, 30)) & (abs(across) < rng.uniform(1, 6))
        chances[inside] = rng.uniform(0.4, 1.0)
    return {"chances": chances[None].astype(np.float32)}


def test_text_in_pictures(start: Start, tmp_path: Path) -> None:
    def drawn(feeds: Any) -> Any:
        return np.random.default_rng(int(feeds["line"].astype(np.int64).sum()) % 2**32)

    def read(feeds: Any) -> dict[str, Any]:
        logits = drawn(feeds).normal(0, 1, (1, 10, 6)).astype(np.float32)
        return {"logits": np.repeat(logits, 2, axis=1) * 4}

    line = {name: ("uint8", (1, 12, width, 3)) for name, width in (("turn", 48), ("recogniser", 80))}
    turn = lambda feeds: {"probabilities": drawn(feeds).uniform(0, 1, (1, 2)).astype(np.float32)}  # noqa: E731
    parts = {
        "detector": Watched(lambda feeds: _map(feeds, 96), {"pixels": ("uint8", (1, 96, 96, 3))}, {}),
        "turn": Watched(turn, {"line": line["turn"]}, {}),
        "recogniser": Watched(read, {"line": line["recogniser"]}, {}),
    }
    facts: dict[str, Any] = {"side": 96, "height": 12, "width": 80, "turn_width": 48, "turned": 0.7, "least": 0.1}
    facts |= {
        "lines": {"pixel": 0.3, "line": 0.3, "growth": 1.6, "most": 50},
        "characters": ["a", " ", "\u4e2d", "d", "e"],
    }
    compared = 0
    with Pair(tmp_path, start, "image-to-text", parts, facts) as pair:
        for seed, (height, width) in enumerate([(96, 96), (240, 120), (90, 300), (77, 55), (150, 410), (64, 64)]):
            pixels = np.repeat(np.repeat(picture(seed, height, width), 3, 0), 3, 1)[:height, :width]
            expected, answer = pair.both(pixels, {"pixels": pixels})
            for part, name in (("detector", "pixels"), ("turn", "line"), ("recogniser", "line")):
                for mine, other in pair.fed(part, name):
                    np.testing.assert_array_equal(mine, other)
            rows = [[text["score"], *np.reshape(text["corners"], -1)] for text in expected.details["texts"]]
            np.testing.assert_allclose(answer["numbers"], np.reshape(np.asarray(rows), -1), rtol=1e-5, atol=1e-4)
            assert answer["text"] == expected.output
            compared += len(rows)
    assert compared > 12, "a test of nothing would prove nothing"
