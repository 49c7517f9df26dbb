"""Unconditional image generation: pictures of what a network was trained on, each made of noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Prediction, Task
from edgekit.tasks.common.agreement import array_distances, of_distances
from edgekit.tasks.unconditional_image_generation.noises import samples
from edgekit.tasks.unconditional_image_generation.painter import Painter, sheet


def distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """For each picture the distance of its features from the reference's, where 1 is the mean distance of two of the
    reference's own pictures.

    Infinite where an answer has another length, or is not finite, or the reference's pictures are all the same.
    """
    rows = [np.asarray(row, np.float64) for row in reference]
    apart = [float(np.linalg.norm(a - b)) for i, a in enumerate(rows) for b in rows[:i] if a.shape == b.shape]
    unit = sum(apart) / len(apart) if apart else 0.0
    far = array_distances(answers, rows, lambda mine, wanted: np.linalg.norm(mine - wanted))
    return [distance / unit if unit > 0 else float("inf") for distance in far]


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
