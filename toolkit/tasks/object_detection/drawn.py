"""Boxes on a picture."""

from __future__ import annotations

from typing import Any

from edgekit.core import Prediction
from edgekit.tasks.common.drawing import Canvas, picture_of


def draw_prediction(sample: Any, prediction: Prediction) -> Any:
    """The picture with its boxes, as a PIL image."""
    canvas = Canvas(picture_of(sample))
    labels = sorted({box["label"] for box in prediction.details["boxes"]})
    for box in prediction.details["boxes"]:
        number = labels.index(box["label"])
        canvas.points(box.get("points", []), number=number + 1)
        canvas.box(box["box"], f"{box['label']} {box['score']:.2f}", number)
    return canvas.image
