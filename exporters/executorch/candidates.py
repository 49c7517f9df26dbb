"""A part as PT2E's int8 forms, for the search that chooses one by measured error.

Errors are those of torch computing what the program will: rounding, not XNNPACK's kernels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from edgekit.common.lazy import NDArray
from edgekit.common.quiet import quiet
from edgekit.core import Feeds, Part, Progress
from edgekit.errors import ExportFailed
from edgekit.exporters.common.rounding import round_weights
from edgekit.exporters.executorch import bias, evened
from edgekit.exporters.executorch import int8 as executorch_int8
from edgekit.exporters.executorch.graph import reason
from edgekit.exporters.executorch.tidy import WEIGHTED, Graph
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.plan import Plan
from edgekit.quantization.ranges import EXTREMES
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.gptq import Grid


class ExecutorchCandidates(Candidates[Graph]):
    """The float `graph` of a part, and what it can become."""

    def __init__(self, graph: Graph, part: Part, feeds: Sequence[Feeds], tell: Progress) -> None:
        super().__init__(part.name, feeds, tell)
        self.graph, self._part = graph, part
        self._ready: dict[str, Graph] = {}
        layers = executorch_int8.layers(graph)
        self.layers = list(layers)
        self.size = sum(node.args[1].meta["val"].numel() for node in layers.values())
        self.convolutional = executorch_int8.convolutional(graph)

    def make(self, plan: Plan) -> Graph:
        try:
            key = f"{plan.form} {sorted(plan.floats)}"
            if key not in self._ready:
                self.tell(f"calibrating {self.part} ({plan.form})", 0, 0)
                graph = self._gptq_graph if self.feeds else self.graph
                self._ready[key] = executorch_int8.calibrate_graph(
                    self._part, graph, plan.form, plan.floats, self.feeds
                )
            return executorch_int8.convert_to_int8(self._ready[key], plan.ranges)
        except Exception as exc:  # torchao raises whatever went wrong, of any kind
            raise ExportFailed(
                f"PT2E cannot quantize the part {self.part!r} ({plan.form}: {reason(exc)}).",
                hint="Choose --precision fp32, or keep the part in float with float_parts.",
            ) from exc

    def nearest(self) -> Graph:
        ready = executorch_int8.calibrate_graph(self._part, self.graph, "static", (), self.feeds)
        return executorch_int8.convert_to_int8(ready, EXTREMES[0])

    def equalize_channels(self) -> ExecutorchCandidates | None:
        """The same part with channels that are more alike; None: nothing to even out, or nothing to measure by."""
        graph = (
            evened.equalize_channels(self._part, self.graph, self.feeds) if self.convolutional and self.feeds else None
        )
        return ExecutorchCandidates(graph, self._part, self.feeds, self.tell) if graph is not None else None

    @cached_property
    def _gptq_graph(self) -> Graph:
        """The float graph with weights that PT2E rounds to themselves."""
        with quiet():
            made: Graph = copy.deepcopy(self.graph)
        what = f"rounding weights of {self.part}"
        round_weights(made, self._part, self.feeds, lambda *_: Grid(8), lambda i, n: self.tell(what, i, n))
        return made

    def run(self, made: Graph | None, feeds: Sequence[Feeds]) -> list[dict[str, NDArray[Any]]]:
        graph = self.graph if made is None else made
        with torch.no_grad():
            answers = [graph(*executorch_int8.tensors(self._part, feed)) for feed in feeds]
        sides = [answer if isinstance(answer, list | tuple) else (answer,) for answer in answers]
        return [{spec.name: out.numpy() for spec, out in zip(self._part.outputs, side, strict=True)} for side in sides]

    def correct_biases(self, plan: Plan, made: Graph) -> Graph | None:
        if plan.form != "static":
            return None
        self.tell(f"correcting biases of {self.part}", 0, 0)
        with quiet():
            better = copy.deepcopy(made)
        bias.correct_biases(self._part, better, self.graph, subsample_evenly(self.feeds, len(self.measured)))
        return better

    def forms(self, made: Graph, form: str) -> dict[str, str]:
        """What became of every layer: one is int8 where its weights come out of a step from int8."""
        int8 = {
            node.name for node in made.graph.nodes if node.target in WEIGHTED and node.args[1].op == "call_function"
        }
        layers = executorch_int8.layers(self.graph)
        return {name: form if node.name in int8 else "float" for name, node in layers.items()}
