"""Image classification: from a picture to a label."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Agreement, Evaluation, Facts, Prediction, Predictor, Runner, Sample, Task, fact_of
from edgekit.errors import BadInput
from edgekit.tasks.common.agreement import label, same_value
from edgekit.tasks.common.drawing import COLOURS, Canvas, picture_of
from edgekit.tasks.common.folders import plain_samples
from edgekit.tasks.common.labels import top_of
from edgekit.tasks.common.pictures import Resize, images_below, pixels_of
from edgekit.tasks.evidence.pictures import PICTURES


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``labels.csv`` (file, class_index) and ``images/``; without them, every picture, without a truth.

    Raises:
        BadInput: a file that is not there or listed twice, or a class out of range.
    """
    table = folder / "labels.csv"
    if not table.is_file():
        return plain_samples(images_below(folder), folder, "neither a labels.csv nor any picture")
    listed: dict[str, Sample] = {}
    with table.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            name, index = (row.get("file") or "").strip(), (row.get("class_index") or "").strip()
            if not name or not index.lstrip("-").isdigit():
                raise BadInput(f"{table}, line {number}: expected file,class_index.")
            if not 0 <= int(index) < len(labels):
                raise BadInput(f"{table}, line {number}: class {index} is out of range; there are {len(labels)}.")
            if name in listed:
                raise BadInput(f"{table}, line {number}: {name!r} is listed twice.")
            path = folder / "images" / name
            if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
                raise BadInput(f"{table}, line {number}: there is no image {name!r} in images/.")
            listed[name] = Sample(str(path), labels[int(index)], name)
    return list(listed.values())


#: Labels of an answer's ranking that metrics use.
_RANKED = 10


class Classifier(Predictor):
    """From a picture, or uint8 RGB pixels, to a label.

    `facts`: ``height``, ``width`` (pixels), ``labels``; ``scale`` and ``zero_point`` if the network's scores are
    int8; ``activation`` "softmax" if they are logits; ``resize`` if a picture is not just scaled whole
    (`edgekit.tasks.common.pictures.fit_image`).

    A network with int8 pixels gets their values minus 128, which is the same as a camera's bytes with
    the top bit flipped.

    `predict` takes the option ``top``: the number of labels in `details`.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network = parts["network"]
        self._size = (fact_of(facts, "height", int), fact_of(facts, "width", int))
        self._labels = fact_of(facts, "labels", list[str])
        self._scale, self._zero = fact_of(facts, "scale", float, 1), fact_of(facts, "zero_point", int, 0)
        self._softmax = fact_of(facts, "activation", str, "") == "softmax"
        self._resize = fact_of(facts, "resize", Resize, Resize())

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Classify a picture.

        Args:
            sample: a file, or an array uint8 [height, width, 3] of any size.

        Raises:
            BadInput: it cannot be used, or an option is unknown or no number of labels.
        """
        top = top_of(options)
        pixels, notes = pixels_of(sample, self._resize, *self._size)
        scores = self.scores(pixels)
        order = scores.argsort(kind="stable")[::-1]
        listed = [{"label": self._labels[i], "class_index": int(i), "score": float(scores[i])} for i in order[:top]]
        return Prediction(
            self._labels[int(order[0])],
            {"scores": listed, "ranking": [entry["class_index"] for entry in listed], "notes": notes},
            {"images": 1.0},
            score=tuple(self._labels[i] for i in order[:_RANKED]),
        )

    def scores(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Probabilities float32 [classes] of uint8 pixels [height, width, 3] of the network's own size."""
        image, spec = self._network.inputs[0], self._network.outputs[0]
        if image.dtype == "int8":
            pixels = (pixels ^ np.uint8(128)).view(np.int8)
        values = self._network({image.name: np.ascontiguousarray(pixels)[None]})[spec.name].reshape(-1)
        scores = (values.astype(np.float32) - self._zero) * np.float32(self._scale)
        if self._softmax:
            scores = np.exp(scores - scores.max())
            scores /= scores.sum()
        return scores


def draw_prediction(sample: Any, prediction: Prediction) -> Any:
    """The picture with the best labels below it, as a PIL image."""
    canvas = Canvas(picture_of(sample))
    canvas.caption([f"{entry['score']:.3f}  {entry['label']}" for entry in prediction.details["scores"]], COLOURS[0])
    return canvas.image


TASK = Task(
    "image-classification",
    "picture",
    "answers",
    samples,
    Classifier,
    metric="accuracy",
    golden="data/golden/espresso.png",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.02, minimum=200),
    evidence=PICTURES,
    agreement=Agreement("the same top label", label, same_value, bar=0.85),
    show=draw_prediction,
)
