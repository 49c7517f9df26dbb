"""Which layer of the source a converted layer is: told by its weights, whatever a converter does to names.

Converters rename layers, fold normalizations into them, change the order of axes and gates, and cut weights in pieces.
What none of that changes is the shape of each output's weights: how their mean and largest size compare with their root
mean square. So a layer is that of the source whose outputs have the same shapes, one after the other; or whose inputs
have, where something is folded in from before. A name that the converter gives is believed only where two layers of the
source have the same weights.

The identifier is the name of the parameter in the source, without ``.weight``: ``encoder.layers.0.fc1``,
``lstm.weight_ih_l0``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edgekit.common.lazy import Floats, NDArray, np

#: Why a layer stays float whose weights are those of no layer of the source.
STRANGE = "its weights are those of no layer of the source"
#: What names of such layers begin with.
_UNKNOWN = "unknown/"
#: Half precision moves the figures of most outputs by less; not of those whose weights are tiny, so that they have few
#: digits. Of layers that are not the same, hardly any output is as near.
_NEAR, _MOST = 2e-3, 0.6
#: Without an order of outputs, other layers are nearer: here figures are equal but for rounding.
_EQUAL = 2e-5
#: Axes of a source's weights that may be the outputs.
_AXES = 3


class Converted(NamedTuple):
    """A layer as a converter made it: its weights, the axis of their outputs, and a name that tells of the source.

    others: weights of what else it multiplies, as a recurrent layer does its own state. The first weights name the
    layer; where the others are those of nobody, neither is the layer the source's.
    """

    weights: NDArray[Any]
    axis: int
    hint: str = ""
    others: Sequence[NDArray[Any]] = ()


class Identifiers:
    """The layers of a source.

    Args:
        weights: parameter -> its values, of at least two axes; others are left out.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = {name: array for name, array in weights.items() if array.ndim > 1 and array.size}
        self._by_size: dict[int, list[str]] = defaultdict(list)
        for name, array in self._weights.items():
            self._by_size[array.size].append(name)
        self._shapes: dict[tuple[str, int], Floats] = {}

    def names(self, layers: Mapping[str, Converted]) -> tuple[dict[str, str], dict[str, int]]:
        """Converted layer -> its identifier; and those with weights of no layer of the source -> how many these are.

        The second layer with the same weights is ``NAME:1``. One with weights that the source has not is
        ``unknown/NAME``, with the converter's name: a plan leaves it float (`is_strange`). A factor for each output
        alone is no product, and may be a normalization: it has the name of its module.
        """
        found, lost, seen = dict[str, str](), dict[str, int](), Counter[str]()
        for own, layer in layers.items():
            name = self._find(layer)
            if not all(self._find(Converted(other, layer.axis)) for other in layer.others):
                name = ""
            if not name and layer.weights.size == layer.weights.shape[layer.axis]:
                name = layer.hint or own
            elif not name:
                lost[own] = layer.weights.size
            name = name or f"{_UNKNOWN}{own}"
            found[own] = f"{name}:{seen[name]}" if seen[name] else name
            seen[name] += 1
        return found, lost

    def _find(self, layer: Converted) -> str:
        own, size = _shape(layer.weights, layer.axis), layer.weights.size
        same, axes = list[str](), range(min(layer.weights.ndim, _AXES))
        for axis in (layer.axis, *axes):  # what is folded from behind scales outputs, what is folded from before inputs
            shape = _shape(layer.weights, axis)
            same = same or [name for name in self._by_size[size] if self._is_whole(name, shape)]
        if not same:
            same = [name for name, array in self._weights.items() if array.size != size and self._is_piece(name, own)]
        hint = _plain(layer.hint)
        best = max(same, key=lambda name: _common(_plain(_identifier(name)), hint), default="")
        return _identifier(best) if best else ""

    def _is_whole(self, name: str, own: Floats) -> bool:
        for axis in self._axes(name):
            if self._weights[name].shape[axis] != len(own):
                continue
            shape = self._shape(name, axis)
            if _near(shape, own) or _equal(shape, own):
                return True
        return False

    def _is_piece(self, name: str, own: Floats) -> bool:
        """Whether one is a run of the other's outputs."""
        for axis in self._axes(name):
            shape = self._shape(name, axis)
            small, large = (own, shape) if len(own) < len(shape) else (shape, own)
            starts = np.flatnonzero(np.abs(large[: len(large) - len(small) + 1, 1] - small[0, 1]) <= _NEAR)
            if len(small) > 1 and any(_near(large[start : start + len(small)], small) for start in starts):
                return True
        return False

    def _axes(self, name: str) -> range:
        return range(min(self._weights[name].ndim, _AXES))

    def _shape(self, name: str, axis: int) -> Floats:
        if (name, axis) not in self._shapes:
            self._shapes[name, axis] = _shape(self._weights[name], axis)
        return self._shapes[name, axis]


def is_strange(name: str) -> bool:
    """Whether a layer has weights that are those of no layer of the source."""
    return name.startswith(_UNKNOWN)


def _identifier(parameter: str) -> str:
    """What a layer is called, by the name of its weights."""
    return parameter.removesuffix(".weight").removesuffix("_weight")


def _shape(weights: NDArray[Any], axis: int) -> Floats:
    """Of each output: its number of inputs; the mean and the largest size of its weights, of their root mean square.
    Of a single input the size itself tells, of the largest."""
    rows = np.abs(np.moveaxis(np.asarray(weights, np.float32), axis, 0).reshape(weights.shape[axis], -1))
    if rows.shape[1] == 1:
        rows /= rows.max() or 1
        return np.concatenate([np.ones_like(rows), rows, rows], axis=1)
    size = np.sqrt(np.square(rows).mean(axis=1))
    size[size == 0] = np.inf
    counts = np.full(len(rows), float(rows.shape[1]), np.float32)
    return np.stack([counts, rows.mean(axis=1) / size, rows.max(axis=1) / size], axis=1)


def _near(one: Floats, other: Floats) -> bool:
    return bool((np.abs(one - other) <= _NEAR * np.maximum(1, np.abs(other))).all(axis=1).mean() >= _MOST)


def _equal(one: Floats, other: Floats) -> bool:
    """Without an order of outputs, which gates of recurrent layers have another of in each format."""
    first, second = (np.sort(shape, axis=0) for shape in (one, other))
    return bool((np.abs(first - second) <= _EQUAL * np.maximum(1, np.abs(second))).all())


def _plain(name: str) -> str:
    return re.sub(r"\W+|_+", "_", name).strip("_").lower()


def _common(name: str, hint: str) -> tuple[bool, int]:
    """How well a hint fits: whether it has the whole name, and how much of it at the beginning."""
    length = next((i for i, (a, b) in enumerate(zip(name, hint, strict=False)) if a != b), min(len(name), len(hint)))
    return bool(re.search(rf"(^|_){re.escape(name)}(_|$)", hint)), length
