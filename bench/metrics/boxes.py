"""Mean average precision of boxes as COCO counts it: AP at overlaps of 0.5 to 0.95, all areas, 100 boxes a picture.

The same numbers as pycocotools' `COCOeval` (a test holds them against it): in each picture and class the best boxes
first take the truth that they overlap most; crowds are neither right nor wrong; precision is read at 101 recalls and
averaged over classes (Lin et al. 2014, arXiv:1405.0312). Here a picture is one item, so that a gate can resample them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Estimate, Pair, paired_bootstrap, widen
from edgekit.common.lazy import NDArray, np

_OVERLAPS = tuple(0.5 + 0.05 * step for step in range(10))
_RECALLS = 101
_MOST = 100
#: Each resample sorts all boxes anew.
_RESAMPLES = 400


@dataclass(frozen=True)
class _Class:
    """The boxes of a class in a picture, best first.

    Attributes:
        scores: [boxes]. right, ignored: [overlaps, boxes]. truths: that can be found.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    truths: int


class Scene(tuple[float, float]):
    """A picture as a pair: (truths that were found at an overlap of 0.5, truths).

    Attributes:
        classes: label -> its boxes.
    """

    classes: Mapping[str, _Class]

    def __new__(cls, classes: Mapping[str, _Class]) -> Scene:
        hits = sum(float((held.right & ~held.ignored)[0].sum()) for held in classes.values())
        scene = super().__new__(cls, (hits, float(sum(held.truths for held in classes.values()))))
        scene.classes = classes
        return scene


def scenes(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per picture, its `Scene`.

    Args:
        outputs: for each picture its boxes: mappings with ``label``, ``box`` (left, top, right, bottom) and ``score``.
        truths: the same without scores; ``crowd`` marks one that stands for many.

    Raises:
        BadInput: lengths differ, or a picture has no truth (that nothing is there is an empty list).
    """
    lacking = "a picture has no truth; mean average precision needs a list of boxes for each."
    return [_scene(output, truth) for output, truth in side_by_side(outputs, truths, lacking)]


def average_precision(pairs: Sequence[Pair]) -> float:
    """Mean over classes and overlaps. Raises ZeroDivisionError if no picture has a truth."""
    return _mean(pairs, slice(None))


def average_precision_at_half(pairs: Sequence[Pair]) -> float:
    """Mean over classes at an overlap of 0.5. Raises ZeroDivisionError if no picture has a truth."""
    return _mean(pairs, slice(0, 1))


def difference(candidate: Sequence[Pair], reference: Sequence[Pair], names: Sequence[str] = ()) -> Estimate:
    """`average_precision` of the candidate less the reference's, with its 95 % interval over pictures."""
    found = paired_bootstrap(candidate, reference, aggregate=average_precision, resamples=_RESAMPLES)
    return widen(found, len(candidate))


def _scene(output: Any, truth: Any) -> Scene:
    labels = sorted({str(box["label"]) for box in (*output, *truth)})
    return Scene(
        {
            label: _class(*([box for box in side if box["label"] == label] for side in (output, truth)))
            for label in labels
        }
    )


def _class(found: list[Any], truths: list[Any]) -> _Class:
    scores = np.array([float(box["score"]) for box in found], np.float64)
    best = np.argsort(-scores, kind="mergesort")[:_MOST]
    truths = sorted(truths, key=lambda box: bool(box.get("crowd")))
    crowd = np.array([bool(box.get("crowd")) for box in truths], bool)
    table = _table([found[i]["box"] for i in best], [box["box"] for box in truths], crowd)
    right = np.zeros((len(_OVERLAPS), len(best)), bool)
    ignored = np.zeros_like(right)
    for level, least in enumerate(_OVERLAPS):
        taken = np.zeros(len(truths), bool)
        for row in range(len(best)):
            at = _match(table[row], taken, crowd, least)
            if at >= 0:
                taken[at] = right[level, row] = True
                ignored[level, row] = crowd[at]
    return _Class(scores[best], right, ignored, int((~crowd).sum()))


def _match(row: NDArray[Any], taken: NDArray[Any], crowd: NDArray[Any], least: float) -> int:
    """The truth that a box takes, or -1: the one that it overlaps most; a crowd only if nothing else."""
    at, best = -1, min(least, 1 - 1e-10)
    for i, overlap in enumerate(row):
        if taken[i] and not crowd[i]:
            continue
        if at >= 0 and not crowd[at] and crowd[i]:
            break
        if overlap >= best:
            at, best = i, overlap
    return at


def _table(found: list[Any], truths: list[Any], crowd: NDArray[Any]) -> NDArray[Any]:
    """Overlaps [found, truths]; with a crowd, the share of the box that lies in it."""
    from edgekit.numerics.boxes import overlaps

    table = overlaps(found, truths)
    if crowd.any() and len(found):
        boxes, areas = np.asarray(found, np.float64), np.asarray(truths, np.float64)
        low, high = (
            np.maximum(boxes[:, None, :2], areas[None, :, :2]),
            np.minimum(boxes[:, None, 2:], areas[None, :, 2:]),
        )
        own = (boxes[:, 2:] - boxes[:, :2]).prod(1)[:, None]
        inside = np.divide((high - low).clip(min=0).prod(2), own, out=np.zeros_like(table), where=own > 0)
        table[:, crowd] = inside[:, crowd]
    return table


def _mean(pairs: Sequence[Pair], levels: slice) -> float:
    held: dict[str, list[_Class]] = {}
    for pair in pairs:
        for label, boxes in getattr(pair, "classes", {}).items():
            held.setdefault(label, []).append(boxes)
    values = [_of_class(parts, levels) for parts in held.values() if sum(part.truths for part in parts)]
    if not values:
        raise ZeroDivisionError("no picture has a truth")
    return float(np.mean(values))


def _of_class(parts: Sequence[_Class], levels: slice) -> float:
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="mergesort")
    right, ignored = (
        np.concatenate([getattr(part, side)[levels] for part in parts], axis=1)[:, order]
        for side in ("right", "ignored")
    )
    truths = sum(part.truths for part in parts)
    hits, misses = (np.cumsum(side & ~ignored, axis=1, dtype=np.float64) for side in (right, ~right))
    recall = hits / truths
    precision = hits / np.maximum(hits + misses, np.finfo(np.float64).eps)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    asked = np.linspace(0.0, 1.0, _RECALLS)
    read = [
        np.append(line, 0.0)[np.minimum(np.searchsorted(own, asked, side="left"), len(line))]
        for own, line in zip(recall, precision, strict=True)
    ]
    return float(np.mean(read))
