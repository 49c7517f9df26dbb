"""Calls made longer along an axis, to a size that a graph was compiled for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Part, TensorSpec

#: The shortest size; each of the next ones is twice as long.
_SHORTEST = 64


@dataclass(frozen=True)
class Padding:
    """Attributes: axis: its name. most: its largest size. values: input -> what it is filled with."""

    axis: str
    most: int
    values: Mapping[str, int]

    def sizes(self) -> list[int]:
        """64, 128, ... and the largest."""
        sizes = [_SHORTEST]
        while sizes[-1] < self.most:
            sizes.append(min(2 * sizes[-1], self.most))
        return sizes

    def size_of(self, specs: Sequence[TensorSpec], feeds: Feeds) -> int:
        """The size of the axis in a call."""
        return next(
            int(feeds[spec.name].shape[spec.shape.index(self.axis)]) for spec in specs if self.axis in spec.shape
        )

    def lengthen(self, specs: Sequence[TensorSpec], feeds: Feeds, size: int) -> dict[str, NDArray[Any]]:
        """The call with the axis at `size`."""
        out = dict(feeds)
        for spec in specs:
            for place, axis in enumerate(spec.shape):
                if axis == self.axis:
                    widths = [(0, 0)] * len(spec.shape)
                    widths[place] = (0, size - out[spec.name].shape[place])
                    out[spec.name] = np.pad(out[spec.name], widths, constant_values=self.values[spec.name])
        return out

    def shorten(self, specs: Sequence[TensorSpec], outputs: Feeds, size: int) -> dict[str, NDArray[Any]]:
        """Outputs, those along the axis cut to `size`."""
        return {
            spec.name: outputs[spec.name][tuple(slice(size if axis == self.axis else None) for axis in spec.shape)]
            for spec in specs
        }


def padding_of(part: Part) -> Padding | None:
    """How calls of `part` may be made longer; None where no axis allows it, or another one varies besides."""
    found = [Padding(name, axis.most, axis.padded) for name, axis in part.axes.items() if axis.padded]
    return found[0] if len(found) == len(part.axes) == 1 else None
