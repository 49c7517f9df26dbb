"""What quantization asks of a format: make what a plan says, run it, and correct it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from edgekit.core import Feeds, Progress
from edgekit.numerics.parity import relative_error
from edgekit.quantization.plan import Plan
from edgekit.quantization.ranges import EXTREMES
from edgekit.quantization.samples import spaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[Any]]

__all__ = ["Candidates", "Made", "pooled"]

#: Weights times calls that a trial may have, and the fewest calls. MiniLM (10.6 M) has 4, what is below 2.5 M all 16.
_TRIAL, _FEWEST = 40_000_000, 3
#: A part as a format holds it: a file, a graph, a program.
Made = TypeVar("Made")


class Candidates(ABC, Generic[Made]):
    """A part in one format, as the search for its plan sees it. A format implements `make` and `run`.

    Args:
        feeds: real inputs of the part, for ranges and errors.

    Attributes:
        layers: those with weights, in order. convolutional: whether convolutions do most of the work.
        size: weights of all layers together; 0 where nobody counts them. With many of them fewer calls are measured.
        measured: inputs that errors are measured on; few: those for the many trials of single layers.
        methods: ways to take ranges that the static form has.
        most: outputs may move by this much; beyond it, the most sensitive layers stay float.
        head: the first layers, which are as fast in float; tried in it where the recipe names no layers.
        alone_in: what `alone` leaves a layer in, where all others are the other: "float" or "int8".
    """

    layers: Sequence[str]
    convolutional: bool
    methods: Sequence[str] = EXTREMES
    most = float("inf")
    head: Sequence[str] = ()
    alone_in = "float"
    size = 0

    def __init__(self, part: str, feeds: Sequence[Feeds], tell: Progress) -> None:
        self.part, self.feeds, self.tell = part, feeds, tell
        self.measured, self.few = spaced(feeds, 16), spaced(feeds, 4)

    def bound(self) -> dict[str, str]:
        """Keep the time and the memory of the search within bounds: what is measured -> what of it is left out."""
        most = max(_FEWEST, _TRIAL // max(self.size, 1))
        before = len(self.measured)
        self.measured, self.few = spaced(self.measured, most), spaced(self.few, most)
        if len(self.measured) == before:
            return {}
        told = f"{before - len(self.measured)} of {before} samples, as every call has {self.size / 1e6:.0f} M weights"
        return {"measured": told}

    @abstractmethod
    def make(self, plan: Plan) -> Made:
        """The part as `plan` says. Raises ExportFailed where the format cannot do it."""

    @abstractmethod
    def run(self, made: Made | None, feeds: Sequence[Feeds]) -> Sequence[Outputs]:
        """The outputs of every call; without `made`, of the part in float. ExportFailed: it does not run."""

    def nearest(self) -> Made:
        """Everything in static int8, no value cut off. A format overrides it where rounding weights well takes time."""
        return self.make(Plan("static", EXTREMES[0]))

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Iterator[tuple[str, Sequence[Outputs]]]:
        """Layer -> outputs where it alone is as `alone_in` says, and all others are not."""
        for layer in self.layers:
            yield layer, self.run(self.make(replace(plan, floats={layer: ""})), feeds)

    def corrected(self, plan: Plan, made: Made) -> Made | None:
        """`made` with corrected biases (see `edgekit.quantization.biases`); None where the format has no such thing."""
        return None

    def error(self, made: Made) -> float:
        """How far `made` is away from float over the measured calls together: all of them count, not the worst one."""
        return relative_error([pooled(self.run(made, self.measured))], [self._expected])

    @cached_property
    def _expected(self) -> Outputs:
        return pooled(self.run(None, self.measured))


def pooled(answers: Sequence[Outputs]) -> Outputs:
    """Every output's values over all calls as one vector."""
    return {name: np.concatenate([answer[name].reshape(-1) for answer in answers]) for name in answers[0]}
