"""Channels of activations evened out between layers, so that one scale can serve them all.

Where few channels of a tensor are large, one scale costs all others their digits. Weights bear more: they have a scale
for every output. So channels are divided where they are made, and the weights that read them are multiplied by the same
factors (cross-layer equalization, Nagel et al. 2019, arXiv:1906.04721; the exponent as in SmoothQuant, Xiao et al.
2022, arXiv:2211.10438). Between the two may stand whatever treats all channels alike: ReLU, padding, means over
positions, sums, products with a gate. So a residual stream is evened out as a whole. The function is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts
from edgekit.quantization.candidates import Candidates, Truth

#: Calls that ranges of channels are taken from.
CALLS = 64
#: Channels are evened out where that leaves at most this share of the error, and moves the float outputs by no more.
_HELPS, _EXACT = 0.8, 1e-4
#: How much of the unlikeness of the channels goes to the weights, as an exponent.
_SHARE = 0.75
#: Channels whose largest is not this many times their geometric mean are alike enough.
_UNLIKE = 4.0
#: A channel counts as at least this much of the largest: a dead one must not get a factor without bound.
_LEAST = 1e-3

#: A node as a format holds it.
Node = TypeVar("Node")
#: A part in a format.
Part = TypeVar("Part", bound=Candidates[Any])


@dataclass(eq=False)
class Stream(Generic[Node]):
    """Tensors whose channels share their factors, and the nodes with constants that make and read them.

    Attributes:
        fixed: something makes or reads one of the tensors that no factor can go into.
    """

    tensors: set[str] = field(default_factory=set)
    makers: list[Node] = field(default_factory=list)
    readers: list[Node] = field(default_factory=list)
    fixed: bool = False


class Streams(Generic[Node]):
    """The streams of a graph, by union of the tensors that its operators tie to one another."""

    def __init__(self) -> None:
        self._of: dict[str, Stream[Node]] = {}

    def of(self, tensor: str) -> Stream[Node]:
        """The stream that a tensor is in."""
        return self._of.setdefault(tensor, Stream({tensor}))

    def join(self, tensors: Sequence[str]) -> None:
        """The channels of these have the same factors."""
        first = self.of(tensors[0])
        for other in map(self.of, tensors[1:]):
            if other is not first:
                first.tensors |= other.tensors
                first.makers += other.makers
                first.readers += other.readers
                first.fixed |= other.fixed
                self._of.update(dict.fromkeys(other.tensors, first))

    def fix(self, tensors: Sequence[str]) -> None:
        """The channels of these keep their scale."""
        for tensor in tensors:
            self.of(tensor).fixed = True

    def free(self) -> list[Stream[Node]]:
        """The streams that factors can go into, in order."""
        every = {id(stream): stream for stream in self._of.values()}.values()
        return [stream for stream in every if stream.makers and stream.readers and not stream.fixed]


def factors(ends: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """By what to divide the channels of a stream; None: they are alike enough, or a tensor has other channels.

    Args:
        ends: of each tensor of the stream the largest magnitude of every channel, [channels].
    """
    if len({end.shape for end in ends}) != 1:  # a map of one channel is added to all
        return None
    largest = np.max(ends, axis=0)
    floor = np.maximum(largest, _LEAST * largest.max(initial=0.0))
    if not floor.all() or floor.max() < _UNLIKE * np.exp(np.log(floor).mean()):
        return None
    shares: NDArray[np.float64] = (floor / floor.max()) ** _SHARE
    return shares


def better(before: Part, after: Part) -> tuple[Part, Facts]:
    """`after`, the same part with channels that are evened out, where int8 clearly loses less; else `before`.

    Weights are rounded to nearest in both, which takes no time. Also facts for the census.
    """
    errors = [each.error(each.nearest()) for each in (before, after)]
    exact = Truth(before.run(None, before.few)).error(after.run(None, after.few))
    facts = {"evened": {"before": round(errors[0], 5), "after": round(errors[1], 5)}}
    return (after, facts) if exact <= _EXACT and errors[1] <= _HELPS * errors[0] else (before, {})
