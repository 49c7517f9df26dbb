"""Products of a graph tried alone: how far its outputs move where one of them is int8, and nothing else.

Only what stands behind a product is computed again; what it reads was recorded. On average that is half of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import NDArray
from edgekit.core import Feeds
from edgekit.exporters.onnx.finding import Product
from edgekit.exporters.onnx.graph import constants, rebuild
from edgekit.quantization.candidates import Truth
from edgekit.quantization.samples import subsample_evenly
from edgekit.runtimes.onnxruntime.runner import evaluate

#: Multiplications with weights in the calls that a trial of a form is measured on, and the most calls. A call of
#: whisper-base's encoder has 14e9 and more, one of MiniLM 0.3e9.
_TRIAL, _MOST = 4e9, 16


def calls_of(found: Sequence[Product], rows: Mapping[str, int], feeds: Sequence[Feeds]) -> Sequence[Feeds]:
    """Those of `feeds` that trials of products are measured on. rows: of each product, as `finding.rows_of` counts."""
    work = sum(rows[product.node] * math.prod(product.shape) for product in found)
    return subsample_evenly(feeds, min(max(int(_TRIAL // max(work, 1)), 1), _MOST))


class Trials:
    """Trials of some products of a float graph.

    Args:
        nodes: of the products. calls: inputs of the graph. truth: what the answers are compared with; without, those of
            the graph itself.
    """

    def __init__(
        self, model: onnx.ModelProto, nodes: Sequence[str], calls: Sequence[Feeds], truth: Truth | None = None
    ) -> None:
        self._model, self._arrays = model, frozenset(constants(model))
        self._behind = {node: self._downstream_nodes(node) for node in nodes}
        outputs = [value.name for value in model.graph.output]
        reads = {name for _, inputs in self._behind.values() for name in inputs}
        seen = evaluate(model, calls, [*outputs, *sorted(reads - {*outputs, *_inputs(model)})])
        self._seen = [{**feed, **values} for feed, values in zip(calls, seen, strict=True)]
        self._answers = [{name: values[name] for name in outputs} for values in seen]
        self._truth = truth or Truth(self._answers)

    def error(self, node: str, make: Callable[[onnx.ModelProto], onnx.ModelProto]) -> float:
        """How far the outputs move (see `Truth.error`).

        Args:
            make: the graph, or the part of it that is behind `node`, with that product in a form.
        """
        nodes, reads = self._behind[node]
        part = rebuild(self._model, nodes, {})
        del part.graph.input[:]
        part.graph.input.extend(_declare_input(name, self._seen[0][name]) for name in reads)
        changed = {name for one in nodes for name in one.output}
        kept = [value for value in part.graph.output if value.name in changed]
        del part.graph.output[:]
        part.graph.output.extend(kept)
        feeds = [{name: values[name] for name in reads} for values in self._seen]
        made = evaluate(make(part), feeds) if kept else [{} for _ in feeds]
        return self._truth.error([{**before, **after} for before, after in zip(self._answers, made, strict=True)])

    def _downstream_nodes(self, name: str) -> tuple[list[onnx.NodeProto], list[str]]:
        """The nodes that a product decides, itself and what is computed of constants among them; and what they read."""
        changed, fixed = set[str](), set(self._arrays)
        nodes, constant = list[onnx.NodeProto](), list[onnx.NodeProto]()
        for node in self._model.graph.node:
            if all(read in fixed for read in node.input if read):
                fixed.update(node.output)
                constant.append(node)
            elif node.name == name or not changed.isdisjoint(node.input):
                changed.update(node.output)
                nodes.append(node)
        reads = {read for node in nodes for read in node.input if read} - changed - fixed
        return [*constant, *nodes], sorted(reads)


def _inputs(model: onnx.ModelProto) -> set[str]:
    return {value.name for value in model.graph.input}


def _declare_input(name: str, value: NDArray[Any]) -> onnx.ValueInfoProto:
    """An input of a graph, of any shape with as many axes as `value` has."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim)
