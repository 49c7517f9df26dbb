"""Ranges of activations over real inputs: min-max, percentile, entropy, wide; and what a bias asks of a range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds

#: Tensor -> (least, largest) value.
Ranges: TypeAlias = "Mapping[str, tuple[float, float]]"
#: Feeds -> the watched tensors of one call.
Run: TypeAlias = "Callable[[Feeds], Mapping[str, NDArray[Any]]]"

METHODS = ("min-max", "percentile", "entropy")
#: Those that need one pass over the inputs.
EXTREMES = METHODS[:2]
#: A range that reaches further than what was seen, and by how much. Over 60 fresh pictures a quarter of a detector's
#: tensors went 14 % beyond their ends over 38 others.
WIDE, _WIDER = "wide", 1.1
#: Of the values of a tensor, this share at each end is left out by "percentile".
TAIL = 1e-4
#: Values of a tensor in one call that are looked at: an even stride through it.
_LOOKED_AT = 1 << 16
_BINS = 2048
#: Values below it in every call are 0: a step of such a range is no number that float32 holds in full.
_NOTHING = 1e-30
#: The step that stands for 0 in uint8 where both sides may be as large.
MIDDLE = 128
#: Ranges that "entropy" tries, as shares of the whole one.
_SHARES = np.linspace(0.25, 1.0, 61)
#: A bias is int32 in steps of input scale x weight scale; above this it could overflow.
_LARGEST_BIAS = 1 << 30


def least_scale(bias: Any, step: Any) -> Any:
    """The smallest scales of weights that hold their biases (arrays or tensors) in int32, at an input's step.

    A dead channel (weights of about zero, which batch normalization leaves behind) has so small a scale that its bias
    would wrap to anything. Its weights were zero and stay zero with a larger one.
    """
    return abs(bias) / step / _LARGEST_BIAS


def best_zero(least: NDArray[Any], largest: NDArray[Any]) -> int:
    """The step of uint8 that stands for 0 where every row has a scale of its own, so that their squares are least.

    After GELU values lie between -0.17 and tens: with 0 at 128 half of the steps would never be used.

    Args:
        least, largest: float [rows], the ends of each row.
    """
    zeros = np.arange(1.0, 255.0)
    above, below = np.maximum(largest, 0)[:, None] / (255 - zeros), np.maximum(-least, 0)[:, None] / zeros
    losses = np.square(np.maximum(above, below), dtype=np.float64).sum(axis=0)
    return int(zeros[np.argmin(losses)]) if losses.any() and np.isfinite(losses).all() else MIDDLE


class Extremes:
    """The least and the largest value of every tensor over all calls, of all values and without the tails of a call.

    Args:
        interpolated: whether a tail ends between two values, as `numpy.quantile` has it, or at a value that was seen.
            Which of the two decides which ranges EfficientNet-Lite0 gets in ExecuTorch.
    """

    def __init__(self, interpolated: bool = True) -> None:
        self._interpolated = interpolated
        self._ends: dict[str, dict[str, tuple[float, float]]] = {method: {} for method in EXTREMES}

    def see(self, name: str, values: NDArray[Any]) -> None:
        """Values of a tensor in one call, at least one, all of them finite."""
        flat = values.reshape(-1)
        ends = tails = float(flat.min()), float(flat.max())
        if flat.size * TAIL >= 1:
            some = flat[:: max(1, flat.size // _LOOKED_AT)]
            cut = int(some.size * TAIL)
            places = [cut, some.size - 1 - cut]
            tail = np.quantile(some, (TAIL, 1 - TAIL)) if self._interpolated else np.partition(some, places)[places]
            tails = float(tail[0]), float(tail[1])
        for method, (least, largest) in zip(EXTREMES, (ends, tails), strict=True):
            before = self._ends[method].get(name, (least, largest))
            self._ends[method][name] = min(before[0], least), max(before[1], largest)

    def ranges(self, method: str) -> Ranges:
        """Tensor -> range, by one of `EXTREMES`."""
        return {name: _without_tiny(*ends) for name, ends in self._ends[method].items()}


class Histograms:
    """What was seen of each tensor in two passes: its least and largest value, and a histogram between the two."""

    def __init__(self, run: Run, feeds: Sequence[Feeds], tell: Callable[[int, int], None]) -> None:
        self._bounds: dict[str, tuple[float, float]] = {}
        self._counts: dict[str, NDArray[np.int64]] = {}
        for i, feed in enumerate(feeds):
            tell(i, 2 * len(feeds))
            for name, values in _arrays_with_values(run(feed)):
                least, largest = self._bounds.get(name, (0.0, 0.0))  # zero is in every range: padding is zero
                self._bounds[name] = (min(least, float(values.min())), max(largest, float(values.max())))
        self._bounds = {name: _without_tiny(*ends) for name, ends in self._bounds.items()}
        for i, feed in enumerate(feeds):
            tell(len(feeds) + i, 2 * len(feeds))
            for name, values in _arrays_with_values(run(feed)):
                flat, limits = values.reshape(-1), self._limits(name)
                counts, _ = np.histogram(flat[:: max(1, flat.size // _LOOKED_AT)].clip(*limits), _BINS, limits)
                self._counts[name] = self._counts.get(name, 0) + counts

    def ranges(self, method: str) -> Ranges:
        """Tensor -> range, by one of `METHODS` or `WIDE`."""
        make = {"min-max": lambda name: self._bounds[name], "percentile": self._percentile, "entropy": self._entropy}
        make[WIDE] = lambda name: (_WIDER * self._bounds[name][0], _WIDER * self._bounds[name][1])
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


def _arrays_with_values(values: Mapping[str, NDArray[Any]]) -> list[tuple[str, NDArray[Any]]]:
    """Those that hold something: the past of a first call does not."""
    return [(name, array) for name, array in values.items() if array.size]


def _without_tiny(least: float, largest: float) -> tuple[float, float]:
    return (least, largest) if max(-least, largest) >= _NOTHING else (0.0, 0.0)


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
