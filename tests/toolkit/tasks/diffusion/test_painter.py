"""Pictures of noise: the loop is its formula, sheets show each picture, distances tell near from far."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.unconditional_image_generation.noises import noise_of, sample_noise, samples
from edgekit.tasks.unconditional_image_generation.painter import Painter, sheet, write

SHAPE = (1, 8, 8)
STEPS = 4
TURN = math.pi / 2 / STEPS
FACTS = {"angles": [step * TURN for step in range(STEPS, 0, -1)], "turn": TURN}
CLEAN = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, *SHAPE)


class Oracle(Runner):
    """Knows the one picture that all noise becomes: its velocity follows from where x is."""

    inputs = (TensorSpec("noisy", "float32", (1, *SHAPE)), TensorSpec("angle", "float32", (1,)))
    outputs = (TensorSpec("velocity", "float32", (1, *SHAPE)),)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        cosine, sine = np.cos(feeds["angle"][0]), np.sin(feeds["angle"][0])
        noise = (feeds["noisy"] - cosine * CLEAN) / sine
        return {"velocity": (cosine * noise - sine * CLEAN).astype(np.float32)}


class Sums(Runner):
    inputs = (TensorSpec("picture", "float32", (1, *SHAPE)),)
    outputs = (TensorSpec("features", "float32", (1, 1)),)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"features": feeds["picture"].sum((1, 2, 3), keepdims=True)[:, :, 0, 0]}


def test_all_steps_end_at_the_picture_that_the_network_knows() -> None:
    answer = Painter({"network": Oracle(), "features": Sums()}, FACTS).predict("7", count=3)
    pictures = np.array(answer.details["pictures"], np.uint8)
    assert pictures.shape == (3, 8, 8, 1) and answer.output == "3 pictures"
    assert np.abs(pictures[0, :, :, 0].astype(int) - np.round((CLEAN[0, 0] + 1) * 127.5)).max() <= 1
    assert np.array(answer.details["features"]).shape == (3, 1)
    assert abs(answer.details["features"][0][0]) < 1e-3  # the mean of the picture is 0


def test_without_a_part_for_features_the_picture_stands_for_itself() -> None:
    answer = Painter({"network": Oracle()}, FACTS).predict(sample_noise(1, (2, *SHAPE)))
    assert np.array(answer.details["features"]).shape == (2, 49)


def test_noise_of_a_seed_is_always_the_same_and_normal() -> None:
    noise = noise_of("12", SHAPE, 200)
    assert np.array_equal(noise, noise_of(12, SHAPE, 200)) and not np.array_equal(noise, noise_of(13, SHAPE, 200))
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03 and noise.dtype == np.float32


@pytest.mark.parametrize(
    "sample",
    ["-1", "seed", "99999999999", 2**32, True, None, np.zeros((8, 8)), np.zeros((0, *SHAPE)), [[["x"]]]],
)
def test_what_is_no_noise_is_refused(sample: Any) -> None:
    with pytest.raises(BadInput):
        noise_of(sample, SHAPE, 1)


def test_noise_from_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no \.npz"):
        samples(tmp_path)
    np.savez(tmp_path / "a.npz", noise=sample_noise(1, (2, *SHAPE)))
    (sample,) = samples(tmp_path)
    assert noise_of(sample.input, SHAPE, 16).shape == (2, *SHAPE)
    np.savez(tmp_path / "a.npz", noise=np.full((1, *SHAPE), np.nan, np.float32))
    with pytest.raises(BadInput, match="not finite"):
        noise_of(sample.input, SHAPE, 16)
    np.savez(tmp_path / "a.npz", other=np.zeros(3))
    with pytest.raises(BadInput, match="no array 'noise'"):
        noise_of(sample.input, SHAPE, 16)


@pytest.mark.parametrize("options", [{"count": 0}, {"count": True}, {"count": "many"}, {"steps": 3}])
def test_options(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Painter({"network": Oracle()}, FACTS).predict("7", **options)


def test_a_sheet_shows_every_picture(tmp_path: Path) -> None:
    grey = np.stack([np.full((8, 8, 1), value, np.uint8) for value in (10, 90, 170)])
    image = np.asarray(sheet(grey))
    assert {10, 90, 170} <= set(np.unique(image)) and image.shape[0] >= 2 * 96
    colour = np.zeros((1, 8, 8, 3), np.uint8)
    colour[..., 0] = 200
    assert {tuple(pixel) for pixel in np.asarray(sheet(colour)).reshape(-1, 3)} == {(200, 0, 0), (255, 255, 255)}
    place = tmp_path / "sheet.png"
    answer = Painter({"network": Oracle()}, FACTS).predict("7", count=4, out=str(place))
    assert answer.details["lines"][-1].endswith("sheet.png")
    with Image.open(place) as image:
        assert image.size == (204, 204)
    with pytest.raises(BadInput, match=r"no \.png"):
        write(grey, str(tmp_path / "sheet.jpg"))


def test_distances_are_shares_of_the_distance_of_two_pictures() -> None:
    agreement = find("tasks", "unconditional-image-generation").agreement
    assert agreement is not None and agreement.figures is not None
    wanted = [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]
    unit = (4 + 4 + math.sqrt(32)) / 3
    answers = [[0.0, 1.0], [4.0, 2.0], [float("nan"), 4.0]]
    assert agreement.same(answers, wanted) == [1 / unit <= 0.25, False, False]
    assert agreement.figures(answers[:2], wanted[:2])["largest"] == pytest.approx(2 / 4)
    assert agreement.same(wanted, [[1.0, 1.0]] * 3) == [False] * 3  # a reference that makes one picture judges nothing
