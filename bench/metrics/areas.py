"""Mean intersection over union of classes of pixels, over all pictures, as segmentation's benchmarks count it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Estimate, Pair, paired_bootstrap, widen
from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput

#: The class of pixels that do not count.
IGNORED = 255
_CLASSES = 256
_RESAMPLES = 1000


class Areas(tuple[float, float]):
    """A picture as a pair: (pixels of the right class, pixels that count).

    Attributes:
        counts: int64 [2, 256]: of each class the pixels that both have, and those that either has.
    """

    counts: NDArray[np.int64]

    def __new__(cls, counts: NDArray[np.int64], pixels: int) -> Areas:
        both = super().__new__(cls, (float(counts[0].sum()), float(pixels)))
        both.counts = counts
        return both


def areas(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per picture, its `Areas`.

    Args:
        outputs, truths: classes, whole numbers [height, width] below 255; `IGNORED` in a truth does not count.

    Raises:
        BadInput: lengths or sizes differ, or a picture has no truth.
    """
    pairs = side_by_side(outputs, truths, "a picture has no truth; mean IoU needs a mask for each.")
    return [_areas(output, truth) for output, truth in pairs]


def mean_iou(pairs: Sequence[Pair]) -> float:
    """Mean over the classes that occur. Raises ZeroDivisionError if none does."""
    counts = sum((pair.counts for pair in pairs if isinstance(pair, Areas)), np.zeros((2, _CLASSES), np.int64))
    present = counts[1] > 0
    if not present.any():
        raise ZeroDivisionError("no pixel counts")
    return float((counts[0][present] / counts[1][present]).mean())


def difference(candidate: Sequence[Pair], reference: Sequence[Pair], names: Sequence[str] = ()) -> Estimate:
    """`mean_iou` of the candidate less the reference's, with its 95 % interval over pictures."""
    found = paired_bootstrap(candidate, reference, aggregate=mean_iou, resamples=_RESAMPLES)
    return widen(found, len(candidate))


def _areas(output: Any, truth: Any) -> Areas:
    mine, wanted = np.asarray(output), np.asarray(truth)
    if mine.shape != wanted.shape or mine.ndim != 2:
        raise BadInput(f"a mask of {list(wanted.shape)} pixels does not fit an answer of {list(mine.shape)}.")
    counted = wanted != IGNORED
    mine, wanted = mine[counted], wanted[counted]
    sizes = [np.bincount(side.astype(np.int64), minlength=_CLASSES) for side in (mine, wanted, wanted[mine == wanted])]
    if any(len(size) > _CLASSES for size in sizes):
        raise BadInput(f"a mask has a class above {_CLASSES - 1}.")
    return Areas(np.stack([sizes[2], sizes[0] + sizes[1] - sizes[2]]), int(counted.sum()))
