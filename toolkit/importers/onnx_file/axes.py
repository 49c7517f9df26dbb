"""Axes of an .onnx file that are open: which stay dynamic, and the sizes that the graph is tried with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekit.core import Axis, TensorSpec
from edgekit.formats.onnx import GraphFacts
from edgekit.importers.common.axes import Bounds, Open, apply_bounds

#: How much larger than its example an axis may become whose bounds nobody has named.
_ROOM = 16
_BATCH = re.compile(r"batch|^b$|^n$|^bs$|DynamicDimension\.0$|^unk__\d+$|\.0$", re.IGNORECASE)
#: Sizes to try, for pictures, for whole numbers (tokens), and for anything else.
_PICTURES = (224, 320, 256, 192, 128, 96, 64, 48, 32, 640)
_TOKENS = (16, 32, 64, 128, 256, 8, 4, 1)
_OTHERS = (128, 256, 512, 1024, 16_000, 576, 100, 80, 64, 48, 32, 16, 8, 4, 2, 1)


@dataclass(frozen=True)
class Axes:
    """The axes of a file after the user's wishes.

    Attributes:
        kept: of the graph as it is: those that the file names, and those that the user bounds.
        bounds: of the formats made from torch: only what the user bounds is dynamic there.
        sizes: axis -> the size that it was tried with.
    """

    kept: Mapping[str, Axis]
    bounds: Bounds
    sizes: Mapping[str, int]

    def of_graph(self, specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """`specs` of the graph as it is."""
        names = {name: name if name in self.kept else new for name, new in self.bounds.names.items()}
        return Bounds(names=names).rename_axes(specs)

    def of_torch(self, specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """`specs` of the formats made from torch."""
        return self.bounds.rename_axes(specs)


def axes_of(facts: GraphFacts, wanted: Mapping[str, tuple[int, int]], sizes: Mapping[str, int]) -> Axes:
    """The axes of a file.

    Args:
        wanted: bounds from the user. sizes: axis -> the size that it was tried with.

    Raises:
        BadInput: a bound for an axis that does not exist.
    """
    opened = {name: Open(1, None, sizes.get(name, 1), places) for name, places in open_axes(facts).items()}
    bounds = apply_bounds(opened, wanted, facts.inputs)
    kept = dict(bounds.axes)
    for name, held in opened.items():
        size = held.example
        # A size that the user has fixed is not the one it was tried with by itself.
        if bounds.names[name] == size and name not in facts.unnamed and not _fixed_by(name, held, wanted):
            kept[name] = Axis(1, _ROOM * size, size)
    return Axes(kept, bounds, sizes)


def _fixed_by(name: str, held: Open, wanted: Mapping[str, tuple[int, int]]) -> bool:
    spoken = {name, *(form for tensor, i in held.places for form in (tensor, f"{tensor}.{i}", f"{tensor}_{i}"))}
    return bool(spoken & wanted.keys())


def open_axes(facts: GraphFacts) -> dict[str, list[tuple[str, int]]]:
    """Axis -> the inputs and positions that have it."""
    out: dict[str, list[tuple[str, int]]] = {}
    for spec in facts.inputs:
        for place, axis in enumerate(spec.shape):
            if isinstance(axis, str):
                out.setdefault(axis, []).append((spec.name, place))
    return out


def candidates(facts: GraphFacts, wanted: Mapping[str, tuple[int, int]]) -> Iterator[dict[str, int]]:
    """Sizes of all open axes to try, the likeliest first; those that the user bounds stay within."""
    opened = open_axes(facts)
    if not opened:
        yield {}
        return
    limits = {}
    for name, places in opened.items():
        held = Open(1, None, 1, places)
        limits[name] = next((bounds for axis, bounds in wanted.items() if _fixed_by(name, held, {axis: bounds})), None)
    tried = set()
    for size in _sizes(facts):
        choice = {}
        for name, places in opened.items():
            wish = 1 if places[0][1] == 0 and _BATCH.search(name) else size
            bounds = limits[name]
            choice[name] = wish if bounds is None else min(max(wish, bounds[0]), bounds[1])
        if (key := tuple(choice.values())) not in tried:
            tried.add(key)
            yield choice


def _sizes(facts: GraphFacts) -> tuple[int, ...]:
    opened = [spec for spec in facts.inputs if any(isinstance(axis, str) for axis in spec.shape)]
    if any(len(spec.shape) == 4 and set(spec.shape[1::2]) & {1, 3, 4} for spec in opened):
        return _PICTURES + _OTHERS
    if any(spec.dtype.startswith(("int", "uint")) and spec.shape for spec in opened):
        return _TOKENS + _OTHERS
    return _OTHERS
