"""Graph machine learning: of the nodes of a graph, here the residues of a protein by their places in space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import Image, ImageDraw, np
from edgekit.core import Agreement, Evaluation, Prediction, Task
from edgekit.tasks.common.agreement import array_distances
from edgekit.tasks.graph_ml.residues import Residues
from edgekit.tasks.graph_ml.structures import samples

#: Pixels of a cell, and residues of a strip.
_CELL, _STRIP = 14, 64


def draw_prediction(prediction: Prediction) -> Any:
    """Darker is more probable, and the file's own amino acid has a frame: strips of 64 residues, as a PIL image."""
    letters, native = prediction.details["letters"][:20], prediction.details["native"]
    shares = np.exp(np.asarray(prediction.details["log_probabilities"]))[:, :20]
    strips, height = -(-len(native) // _STRIP), (len(letters) + 2) * _CELL
    image = Image.new("RGB", ((min(len(native), _STRIP) + 2) * _CELL, strips * height), "white")
    pen = ImageDraw.Draw(image)
    for row, letter in enumerate(letters * strips):
        top = (row // len(letters)) * height + (row % len(letters)) * _CELL
        pen.text((3, top + 2), letter, fill="black")
    for i, own in enumerate(native):
        left, top = (i % _STRIP + 1) * _CELL, (i // _STRIP) * height
        for row, letter in enumerate(letters):
            light = round(255 * (1.0 - float(shares[i, row])))
            corner = (left, top + row * _CELL)
            cell = (*corner, corner[0] + _CELL - 1, corner[1] + _CELL - 1)
            pen.rectangle(cell, fill=(light, light, 255), outline="red" if letter == own else None)
        pen.text((left + 3, top + len(letters) * _CELL + 2), own, fill="black")
    return image


def divergences(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """For each structure the mean KL divergence of its residues from the reference's, in nats.

    Infinite where an answer has another shape, or is not finite.

    Args:
        answers, reference: of each structure the log-probabilities, [residues][letters].
    """
    return array_distances(answers, reference, lambda mine, other: (np.exp(other) * (other - mine)).sum(1).mean())


def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """The mean divergence of a structure, and the share of residues whose most probable letter is the reference's."""
    far = divergences(answers, reference)
    pairs = [
        (np.argmax(answer, 1), np.argmax(wanted, 1))
        for answer, wanted, value in zip(answers, reference, far, strict=True)
        if value < float("inf")
    ]
    if not pairs:
        return {}
    same = np.concatenate([mine == other for mine, other in pairs])
    return {
        "mean KL divergence in nats": sum(far) / len(far),
        "share of residues with the same letter": float(same.mean()),
    }


#: Largest mean KL divergence of a structure's residues from fp32's, in nats; and the least share of structures.
_NEAR, _BAR = 0.05, 0.9


def _answer(prediction: Prediction) -> Any:
    return [[round(value, 2) for value in row] for row in prediction.metric_input["log_probabilities"]]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    return [value <= _NEAR for value in divergences(answers, reference)]


TASK = Task(
    "graph-ml",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Residues(parts, facts),
    metric="recovery",
    golden="protein/structures/1a8o.pdb",
    evaluation=Evaluation("recovery", worst=None, drop=0.02, minimum=20),
    agreement=Agreement(
        f"probabilities of residues within {_NEAR} nats of fp32's, by their mean KL divergence in a structure",
        _answer,
        _same,
        _BAR,
        figures,
        bounds=False,
    ),
    show=lambda sample, prediction: draw_prediction(prediction),
)
