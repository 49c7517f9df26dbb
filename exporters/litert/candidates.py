"""A part as LiteRT's int8 forms, for the search that chooses one by measured error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from edgekit.common.lazy import NDArray
from edgekit.common.processors import usable_processors
from edgekit.core import Feeds, Part, Progress
from edgekit.errors import BadInput, ExportFailed
from edgekit.exporters.litert import bias, file, int8, rounding
from edgekit.exporters.litert.watch import Watcher
from edgekit.exporters.litert.wish import Wish
from edgekit.formats.descriptions import Specs
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.plan import Plan
from edgekit.quantization.ranges import Extremes
from edgekit.runtimes.litert.runner import LitertRunner

#: Forms whose weights the kernels multiply as integers.
_INTEGER = ("static", "dynamic")


class LitertCandidates(Candidates[bytes]):
    """The fp32 file `content` of a part, and what it can become."""

    def __init__(self, content: bytes, part: Part, feeds: Sequence[Feeds], wish: Wish, tell: Progress) -> None:
        super().__init__(part.name, feeds, tell)
        self._content, self._wish = content, wish
        self._specs: Specs = (part.inputs, part.outputs)
        model = file.parse(content)
        graph = model.subgraphs[0]
        held = {
            name: file.shape_of(graph.tensors[weights]) for name, _, _, weights, _, _ in file.weighted_operators(model)
        }
        self.layers, self.size = list(held), sum(math.prod(shape) for shape in held.values())
        self.convolutional = int8.convolutional(model)

    def make(self, plan: Plan) -> bytes:
        return self._quantize_part(
            plan, self._gptq_model if plan.form in _INTEGER and self.feeds else self._content, self._wish
        )

    def run(self, made: bytes | None, feeds: Sequence[Feeds]) -> list[dict[str, NDArray[Any]]]:
        try:
            runner = LitertRunner(self._content if made is None else made, usable_processors(), self._specs)
            return [runner(feed) for feed in feeds]
        except BadInput as exc:
            raise ExportFailed(f"what was made of the part {self.part!r} does not run: {exc.message}") from exc

    def correct_biases(self, plan: Plan, made: bytes) -> bytes | None:
        if plan.form != "static":
            return None
        shifted = bias.correct_biases(
            self._gptq_model,
            lambda content: self._quantize_part(plan, content, replace(self._wish, io="float")),
            self._watcher,
            self.feeds,
            lambda i, n: self.tell(f"correcting biases of {self.part}", i, n),
        )
        return self._quantize_part(plan, shifted, self._wish)

    def _quantize_part(self, plan: Plan, content: bytes, wish: Wish) -> bytes:
        ranges = self._activation_extremes.ranges(plan.ranges) if plan.ranges else {}
        return int8.quantize_model(content, plan, wish, ranges, self.part)

    @cached_property
    def _gptq_model(self) -> bytes:
        """The float file with weights that the quantizer rounds to themselves."""
        return rounding.round_weights(
            self._content,
            self._watcher,
            self.feeds,
            lambda i, n: self.tell(f"rounding weights of {self.part}", i, n),
            per_channel=self._wish.weights == "per-channel",
        )

    @cached_property
    def _activation_extremes(self) -> Extremes:
        seen, watch = Extremes(), self._watcher(self._content)
        for i, feed in enumerate(self.feeds):
            self.tell(f"calibrating {self.part}", i, len(self.feeds))
            for name, values in watch.tensors(feed):
                seen.see(name, values)
        return seen

    def _watcher(self, content: bytes) -> Watcher:
        return Watcher(content, self._specs, usable_processors())
