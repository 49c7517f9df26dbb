"""Which products with few rows get 4 bits, where not all may: those that move the outputs least for their size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekit.common.processors import usable_processors
from edgekit.core import Feeds, Progress
from edgekit.exporters.onnx import products
from edgekit.formats.onnx.runner import OnnxRunner
from edgekit.quantization import bits
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.plan import LayerPlan, Plan

if TYPE_CHECKING:
    import onnx

    Outputs = Mapping[str, NDArray[Any]]

__all__ = ["relaxed"]

SMALL, USUAL = "four-bit", "blockwise"


def relaxed(
    model: onnx.ModelProto,
    choice: Mapping[str, LayerPlan],
    weights: products.Weights,
    part: str,
    feeds: Sequence[Feeds],
    aim: float,
    tell: Progress,
) -> dict[str, LayerPlan]:
    """`choice` in which products go back from 4 to 8 bits until the outputs move by at most `aim`.

    Args:
        weights: rounded, of all products in `choice`. feeds: real inputs of the part.
        aim: relative error of the outputs of a call, which the products in 4 bits together may make.
    """
    nodes = [node for node, plan in choice.items() if plan.form == SMALL]
    if not nodes or not feeds:
        return dict(choice)
    counts = {product.node: product.weight.size for product in products.products(model) if product.node in nodes}
    plan = bits.keep(_FewRows(model, nodes, weights, part, feeds, tell), counts, Plan(form=SMALL), aim, share=1.0)
    return {
        node: replace(layer, form=USUAL, why=plan.floats[node]) if node in plan.floats else layer
        for node, layer in choice.items()
    }


class _FewRows(Candidates[OnnxRunner]):
    """A part whose products with few rows are in 4 bits, but for the plan's `floats`, which are in 8."""

    convolutional = False
    alone_in = "int8"

    def __init__(
        self,
        model: onnx.ModelProto,
        nodes: Sequence[str],
        weights: products.Weights,
        part: str,
        feeds: Sequence[Feeds],
        tell: Progress,
    ) -> None:
        super().__init__(part, feeds, tell)
        self.layers, self._model, self._weights = nodes, model, weights
        self._float = OnnxRunner(model.SerializeToString(), usable_processors())

    def make(self, plan: Plan) -> OnnxRunner:
        return self._with({node: USUAL if node in plan.floats else SMALL for node in self.layers})

    def run(self, made: OnnxRunner | None, feeds: Sequence[Feeds]) -> Sequence[Outputs]:
        runner = made or self._float
        return [runner(feed) for feed in feeds]

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Iterator[tuple[str, Sequence[Outputs]]]:
        for node in self.layers:
            yield node, self.run(self._with({node: SMALL}), feeds)

    def _with(self, forms: Mapping[str, str]) -> OnnxRunner:
        quantized = products.quantize(self._model, forms, self._weights)
        return OnnxRunner(quantized.SerializeToString(), usable_processors())
