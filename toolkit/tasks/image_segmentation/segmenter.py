"""The pipeline from a picture to a class for every pixel of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Image, NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.common.drawing import Canvas, picture_of
from edgekit.tasks.common.pictures import Resize
from edgekit.tasks.common.vision.placing import Placed, place_sample

#: Most pixels of the answer's longer side: a larger picture gets the mask of its reduction.
_LONGEST = 2048
#: Shares that are told.
_TOLD = 0.005


class Segmenter(Predictor):
    """From a picture to areas.

    The part ``network``: ``pixels`` uint8 [1, height, width, 3] -> ``logits`` float32 [1, rows, columns, C], of the
    whole input.

    `facts`: ``height``, ``width``; ``labels``, the first is drawn clear; ``activation`` "softmax", C labels, or
    "sigmoid", one logit for the second of two labels; ``resize`` (`edgekit.tasks.common.vision.placing.place_sample`).
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._rule = parts["network"], fact_of(facts, "resize", Resize, Resize())
        self._size = (fact_of(facts, "height", int), fact_of(facts, "width", int))
        self._labels = fact_of(facts, "labels", list[str])
        if len(self._labels) > 255:
            raise BadInput(f"the bundle has {len(self._labels)} classes of pixels; a mask holds at most 255.")

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The shares of the labels as text; the details hold ``shares`` and ``runs``, the mask as lengths of runs; the
        score is the mask, uint8 [height, width] as large as the picture (at most 2048 a side).

        Args:
            sample: a file, or an array uint8 [height, width, 3] of any size.

        Raises:
            BadInput: it cannot be used, or an option is unknown.
        """
        check_names(options, ())
        picture = place_sample(sample, self._rule, *self._size)
        logits = self._network({self._network.inputs[0].name: picture.pixels[None]})["logits"][0]
        mask = _classes(_resize_logits(logits, picture))
        shares = np.bincount(mask.reshape(-1), minlength=len(self._labels)) / mask.size
        told = {self._labels[i]: float(shares[i]) for i in np.argsort(-shares, kind="stable") if shares[i] >= _TOLD}
        lines, notes = [f"{share:7.1%}  {label}" for label, share in told.items()], list(picture.notes)
        shown = {"shares": told, "lines": lines, "labels": self._labels}
        details = {**shown, "size": list(mask.shape), "runs": runs_of(mask), "notes": notes}
        # Rounded to parts of a hundred: another processor may find a few pixels more.
        said = ", ".join(f"{label} {share:.0%}" for label, share in told.items())
        return Prediction(said, details, {"images": 1.0}, score=mask)


def runs_of(mask: NDArray[np.uint8]) -> list[int]:
    """A mask row by row as runs: class, length, class, length .."""
    flat = mask.reshape(-1).astype(np.int64)
    starts = np.flatnonzero(np.diff(flat, prepend=-1))
    return np.stack([flat[starts], np.diff(starts, append=flat.size)], 1).reshape(-1).tolist()


def mask_of(details: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The mask that the details of an answer hold: uint8 [height, width]."""
    runs = np.asarray(details["runs"], np.int64).reshape(-1, 2)
    mask: NDArray[np.uint8] = np.repeat(runs[:, 0].astype(np.uint8), runs[:, 1]).reshape(details["size"])
    return mask


def _resize_logits(logits: NDArray[Any], picture: Placed) -> NDArray[np.float32]:
    """The logits of the picture's part of the input, bilinear at the picture's size: float32 [height, width, C]."""
    rows, columns, _ = logits.shape
    share = min(1.0, _LONGEST / max(picture.size))
    size = (max(1, round(picture.size[0] * share)), max(1, round(picture.size[1] * share)))
    left, top = picture.corner[0] * columns, picture.corner[1] * rows
    part = (left, top, left + picture.extent[0] * columns, top + picture.extent[1] * rows)
    layers = [
        np.asarray(Image.fromarray(np.ascontiguousarray(layer)).resize(size, Image.Resampling.BILINEAR, part))
        for layer in np.moveaxis(logits.astype(np.float32), 2, 0)
    ]
    return np.stack(layers, 2)


def _classes(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    if logits.shape[2] == 1:
        return np.asarray(logits[:, :, 0] > 0, np.uint8)
    return np.asarray(logits.argmax(2), np.uint8)


def draw_prediction(sample: Any, prediction: Prediction) -> Any:
    """The picture with its areas tinted, as a PIL image."""
    canvas = Canvas(picture_of(sample))
    canvas.mask(mask_of(prediction.details), prediction.details["labels"])
    return canvas.image
