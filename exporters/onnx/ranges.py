"""Ranges of activations over real inputs, for static int8: min-max, percentile, entropy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.core import Feeds
from edgekit.exporters.onnx.qdq import Ranges

METHODS = ("min-max", "percentile", "entropy")
#: Of the values of a tensor, this share at each end is left out by "percentile".
TAIL = 1e-4
#: Values of a tensor in one call that a histogram looks at: an even stride through it.
_LOOKED_AT = 1 << 16
_BINS = 2048
#: Ranges that "entropy" tries, as shares of the whole one.
_SHARES = np.linspace(0.25, 1.0, 61)

#: Feeds -> the watched tensors of one call.
Run = Callable[[Feeds], dict[str, NDArray[Any]]]


class Observed:
    """What was seen of each tensor: its least and largest value, and a histogram between the two."""

    def __init__(self, run: Run, feeds: Sequence[Feeds], tell: Callable[[int, int], None]) -> None:
        self._bounds: dict[str, tuple[float, float]] = {}
        self._counts: dict[str, NDArray[np.int64]] = {}
        for i, feed in enumerate(feeds):
            tell(i, 2 * len(feeds))
            for name, values in run(feed).items():
                least, largest = self._bounds.get(name, (0.0, 0.0))  # zero is in every range: padding is zero
                self._bounds[name] = (min(least, float(values.min())), max(largest, float(values.max())))
        for i, feed in enumerate(feeds):
            tell(len(feeds) + i, 2 * len(feeds))
            for name, values in run(feed).items():
                flat = values.reshape(-1)
                counts, _ = np.histogram(flat[:: max(1, flat.size // _LOOKED_AT)], _BINS, self._limits(name))
                self._counts[name] = self._counts.get(name, 0) + counts

    def ranges(self, method: str) -> Ranges:
        """Tensor -> range, by one of `METHODS`."""
        make = {"min-max": lambda name: self._bounds[name], "percentile": self._percentile, "entropy": self._entropy}
        return {name: make[method](name) for name in self._bounds}

    def _limits(self, name: str) -> tuple[float, float]:
        least, largest = self._bounds[name]
        return (least, largest) if largest > least else (least, least + 1.0)

    def _percentile(self, name: str) -> tuple[float, float]:
        edges = np.linspace(*self._limits(name), _BINS + 1)
        share = np.cumsum(self._counts[name]) / self._counts[name].sum()
        low, high = int(np.searchsorted(share, TAIL)), int(np.searchsorted(share, 1 - TAIL))
        return float(edges[low]), float(edges[min(high, _BINS - 1) + 1])

    def _entropy(self, name: str) -> tuple[float, float]:
        """The range that loses the least information (Kullback-Leibler) when cut into 256 levels (Migacz 2017)."""
        least, largest = self._limits(name)
        edges = np.linspace(least, largest, _BINS + 1)
        counts = np.where((edges[:-1] <= 0) & (edges[1:] >= 0), 0, self._counts[name])  # zero has a level of its own
        losses = []
        for share in _SHARES:
            inside = (edges[1:] > least * share) & (edges[:-1] < largest * share)
            losses.append(_loss(counts, inside))
        share = float(_SHARES[int(np.argmin(losses))])
        return least * share, largest * share


def _loss(counts: NDArray[np.int64], inside: NDArray[np.bool_]) -> float:
    """Divergence of the values, saturated to the bins `inside`, from the same in 256 levels."""
    where = np.flatnonzero(inside)
    kept = counts[where].astype(np.float64)
    true = kept.copy()
    true[0] += counts[: where[0]].sum()
    true[-1] += counts[where[-1] + 1 :].sum()
    level = np.arange(len(kept)) * 256 // len(kept)
    sums, filled = np.bincount(level, kept, 256), np.bincount(level, kept > 0, 256)
    spread = np.where(kept > 0, (sums / np.maximum(filled, 1))[level], 0.0)
    true, spread = true / max(true.sum(), 1.0), spread / max(spread.sum(), 1.0)
    some = true > 0
    return float((true[some] * np.log(true[some] / np.maximum(spread[some], 1e-12))).sum())


def watching(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy of `model` whose outputs are the tensors `names`."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    del out.graph.output[:]
    out.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return out
