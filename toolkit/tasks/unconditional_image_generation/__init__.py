"""Unconditional image generation: pictures of what a network was trained on, each made of noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Prediction, Task
from edgekit.tasks.unconditional_image_generation.noises import samples
from edgekit.tasks.unconditional_image_generation.painter import Painter
from edgekit.tasks.unconditional_image_generation.sheet import sheet

#: Largest distance of a picture's features from fp32's, as a share of the mean distance of two of fp32's pictures; and
#: the least share of pictures that are so near.
_NEAR, _BAR = 0.25, 0.9
#: Decimals of features that a bundle keeps.
_DECIMALS = 3


def _answer(prediction: Prediction) -> list[float]:
    return [round(float(number), _DECIMALS) for row in prediction.details["features"] for number in row]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    from edgekit.tasks.unconditional_image_generation.agreeing import distances

    return [distance <= _NEAR for distance in distances(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.tasks.unconditional_image_generation.agreeing import distances

    far = distances(answers, reference)
    return {"mean distance of features": sum(far) / len(far), "largest": max(far)} if far else {}


TASK = Task(
    "unconditional-image-generation",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Painter(parts, facts),
    golden="fashion/noise.npz",
    agreement=Agreement(
        f"features of pictures from the same noise within {_NEAR:.0%} of the mean distance of two pictures of fp32's",
        _answer,
        _same,
        _BAR,
        _figures,
        bounds=False,
    ),
    show=lambda sample, prediction: sheet(prediction.details["pictures"]),
)
