"""What quantization asks of a format: make what a plan says, run it, and correct it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Progress
from edgekit.numerics.parity import relative_error
from edgekit.quantization.plan import Plan
from edgekit.quantization.ranges import EXTREMES
from edgekit.quantization.samples import subsample_evenly

Outputs: TypeAlias = "Mapping[str, NDArray[Any]]"

#: Weights times calls that a trial may have, and the fewest calls. MiniLM (10.6 M) has 4, what is below 2.5 M all 16.
_TRIAL, _FEWEST = 40_000_000, 3
#: Columns this many times as large as the next hide it: of 8 bits it has 3. Less than `_NOTHING` of the largest is 0.
_UNLIKE, _NOTHING = 32, 1e-6
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
        methods: ways to take ranges that the static form has. rare: those where what is rare counts.
        most: outputs may move by this much; beyond it, the most sensitive layers stay float.
        head: the first layers, which are as fast in float; tried in it where the recipe names no layers.
        alone_in: what `alone` leaves a layer in, where all others are the other: "float" or "int8".
    """

    layers: Sequence[str]
    convolutional: bool
    methods: Sequence[str] = EXTREMES
    rare: Sequence[str] = EXTREMES[:1]
    most = float("inf")
    head: Sequence[str] = ()
    alone_in = "float"
    size = 0

    def __init__(self, part: str, feeds: Sequence[Feeds], tell: Progress) -> None:
        self.part, self.feeds, self.tell = part, feeds, tell
        self.measured, self.few = subsample_evenly(feeds, 16), subsample_evenly(feeds, 4)

    def bound(self) -> dict[str, str]:
        """Keep the time and the memory of the search within bounds: what is measured -> what of it is left out."""
        most = max(_FEWEST, _TRIAL // max(self.size, 1))
        before = len(self.measured)
        self.measured, self.few = subsample_evenly(self.measured, most), subsample_evenly(self.few, most)
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

    def correct_biases(self, plan: Plan, made: Made) -> Made | None:
        """`made` with corrected biases (`edgekit.quantization.weights.biases`); None where a format has none."""
        return None

    def error(self, made: Made) -> float:
        """How far `made` is away from float over the measured calls together: all of them count, not the worst one."""
        return self._reference_outputs.error(self.run(made, self.measured))

    @property
    def kinds(self) -> Sequence[str]:
        """The ways to take ranges that are tried. Beside boxes in pixels scores are small and mostly 0, so what is rare
        counts. A real YOLOv8 found 44 to 58 of 85 objects by ranges that leave it out, and 67 without.
        """
        return self.rare if self.unlike else self.methods

    @property
    def unlike(self) -> bool:
        """Whether outputs have columns of unlike ranges (see `Truth`)."""
        return bool(self.measured) and self._reference_outputs.unlike

    @cached_property
    def _reference_outputs(self) -> Truth:
        return Truth(self.run(None, self.measured))


class Truth:
    """What a part answers in float, to measure other answers by: those of all calls together, output by output.

    Columns of an output whose ranges are unlike (a detector's boxes in pixels, and its scores up to 1) are measured
    apart: else the large would hide the small.

    Attributes:
        unlike: whether an output has such columns.
    """

    def __init__(self, answers: Sequence[Outputs]) -> None:
        self._columns = {name: _columns([answer[name] for answer in answers]) for name in answers[0]}
        self._pooled = self._pool(answers)
        self.unlike = any(len(groups) > 1 for _, *groups in self._columns.values())

    def error(self, answers: Sequence[Outputs]) -> float:
        """See `edgekit.numerics.parity.relative_error`. `answers`: of the same calls, in their order."""
        return relative_error([self._pool(answers)], [self._pooled])

    def _pool(self, answers: Sequence[Outputs]) -> Outputs:
        pooled: dict[str, NDArray[Any]] = {}
        for name, (axis, *groups) in self._columns.items():
            for i, columns in enumerate(groups):
                parts = [answer[name] if columns is None else answer[name].take(columns, axis) for answer in answers]
                pooled[f"{name} {i}"] = np.concatenate([part.reshape(-1) for part in parts])
        return pooled


def _columns(values: Sequence[NDArray[Any]]) -> tuple[int, *tuple[NDArray[Any] | None, ...]]:
    """An axis, and its places in one or two groups of unlike range: the first that are `_UNLIKE` times all others."""
    for axis in range(1, values[0].ndim):
        if len({value.shape[axis] for value in values}) > 1:
            continue
        across = tuple(i for i in range(values[0].ndim) if i != axis)
        sizes = np.sqrt(sum(np.square(value, dtype=np.float64).sum(across) for value in values))
        order = np.argsort(sizes)[::-1]
        falls = np.flatnonzero(sizes[order][1:] * _UNLIKE <= sizes[order][:-1])
        if len(falls) and sizes[order[falls[0] + 1]] > _NOTHING * sizes.max():
            return axis, order[: falls[0] + 1], order[falls[0] + 1 :]
    return 0, None
