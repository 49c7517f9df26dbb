"""The pipeline from a picture to boxes: fit, run, keep what is sure enough, and of boxes of one thing the best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.numerics.boxes import non_maximum_suppression
from edgekit.tasks.common.pictures import Resize
from edgekit.tasks.common.vision.placing import Placed, place_sample

_MOST = 100


class Box(TypedDict):
    """A detected thing. `box`: left, top, right and bottom in pixels of the picture, cut at its edges; of a network
    that gives `points` [[x, y], ..], `whole` is the box before it was cut."""

    label: str
    score: float
    box: list[float]
    whole: NotRequired[list[float]]
    points: NotRequired[list[list[float]]]


class Detector(Predictor):
    """From a picture to boxes.

    The part ``network``: ``pixels`` uint8 [1, height, width, 3] -> ``boxes`` float32 [1, N, 4] (left, top, right,
    bottom as shares of the input), ``logits`` float32 [1, N, C], and maybe ``points`` float32 [1, N, 2 * K] (x, y of K
    points of each box, as shares).

    `facts`: ``height``, ``width``; ``labels``; ``activation`` "sigmoid", each label for itself, or "softmax", with one
    more logit, the last, for nothing; ``threshold``, the least score; ``overlap``, above which the lesser of two boxes
    of a label goes (1: the network makes no doubles); ``resize`` (`edgekit.tasks.common.vision.placing.place_sample`).

    `predict` takes the option ``threshold``.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._rule = parts["network"], fact_of(facts, "resize", Resize, Resize())
        self._size = (fact_of(facts, "height", int), fact_of(facts, "width", int))
        self._labels = fact_of(facts, "labels", list[str])
        self._softmax = fact_of(facts, "activation", str) == "softmax"
        self._threshold, self._overlap = fact_of(facts, "threshold", float), fact_of(facts, "overlap", float)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """What is in a picture, as text ("face, face"), and in the detail ``boxes`` where, best first, each as a
        `Box`.

        Args:
            sample: a file, or an array uint8 [height, width, 3] of any size.

        Raises:
            BadInput: it cannot be used, or an option is unknown.
        """
        check_names(options, ("threshold",))
        threshold = options.get("threshold", self._threshold)
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 < threshold < 1:
            raise BadInput(f"threshold is a number between 0 and 1, not {threshold!r}.")
        picture = place_sample(sample, self._rule, *self._size)
        outputs = self._network({self._network.inputs[0].name: picture.pixels[None]})
        boxes = self._boxes(outputs, picture, float(threshold))
        lines = [f"{box['score']:.3f}  {box['label']}  {_format_box(box['box'])}" for box in boxes]
        notes, size = list(picture.notes), list(picture.size)
        details = {"boxes": boxes, "lines": lines or ["nothing"], "notes": notes, "size": size}
        said = ", ".join(box["label"] for box in boxes) or "nothing"
        return Prediction(said, details, {"images": 1.0}, score=boxes)

    def _boxes(self, outputs: Mapping[str, NDArray[Any]], picture: Placed, threshold: float) -> list[Box]:
        scores, shares = self._scores(outputs["logits"][0]), outputs["boxes"][0]
        whole = picture.back(shares.reshape(-1, 2, 2))
        corners = whole.clip(0, picture.size).reshape(-1, 4)
        best, sure = scores.argmax(1), scores.max(1)
        found: list[Box] = []
        for label in np.unique(best[sure >= threshold]):
            at = np.flatnonzero((best == label) & (sure >= threshold) & (corners[:, 2:] > corners[:, :2]).all(1))
            for i in at[non_maximum_suppression(corners[at], sure[at], self._overlap, _MOST)]:
                box = Box(label=self._labels[label], score=float(sure[i]), box=corners[i].tolist())
                if "points" in outputs:
                    box["whole"] = whole[i].reshape(-1).tolist()
                    box["points"] = picture.back(outputs["points"][0][i].reshape(-1, 2)).tolist()
                found.append(box)
        return sorted(found, key=lambda box: -float(box["score"]))[:_MOST]

    def _scores(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Probabilities [N, labels]."""
        logits = logits.astype(np.float64)
        if not self._softmax:
            return np.asarray(1.0 / (1.0 + np.exp(-logits.clip(-100, 100))))
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray((powers / powers.sum(1, keepdims=True))[:, : len(self._labels)])


def _format_box(box: list[float]) -> str:
    """Whole pixels: left, top, right, bottom."""
    return " ".join(f"{side:.0f}" for side in box)
