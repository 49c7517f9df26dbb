"""Unconditional image generation: pictures of what a network was trained on, each made of noise."""

from __future__ import annotations

from edgekit.core import Prediction, Task
from edgekit.tasks.common.agreement import of_distances
from edgekit.tasks.unconditional_image_generation.agreeing import distances
from edgekit.tasks.unconditional_image_generation.noises import samples
from edgekit.tasks.unconditional_image_generation.painter import Painter
from edgekit.tasks.unconditional_image_generation.sheet import sheet

#: Largest distance of a picture's features from fp32's, as a share of the mean distance of two of fp32's pictures.
_NEAR = 0.25
#: Decimals of features that a bundle keeps.
_DECIMALS = 3


def _answer(prediction: Prediction) -> list[float]:
    return [round(float(number), _DECIMALS) for row in prediction.details["features"] for number in row]


TASK = Task(
    "unconditional-image-generation",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Painter(parts, facts),
    golden="fashion/noise.npz",
    agreement=of_distances(
        f"features of pictures from the same noise within {_NEAR:.0%} of the mean distance of two pictures of fp32's",
        _answer,
        distances,
        _NEAR,
        ("mean distance of features", "largest"),
    ),
    show=lambda sample, prediction: sheet(prediction.details["pictures"]),
)
