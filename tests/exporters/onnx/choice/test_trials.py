"""Trials of products alone: the figure of the whole graph, of which only what is behind a product is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.core import Feeds
from edgekit.exporters.onnx import products as chosen
from edgekit.exporters.onnx.choice.trials import Trials
from edgekit.exporters.onnx.finding import products, rows_of
from edgekit.exporters.onnx.graph import OPSET
from edgekit.exporters.onnx.products import quantize
from edgekit.quantization.candidates import Truth
from edgekit.quantization.latencies import Shape
from edgekit.quantization.plan import LayerPlan
from edgekit.runtimes.onnxruntime.runner import evaluate

NAMES = ("first", "turned", "last")


def graph() -> onnx.ModelProto:
    """Three products, one by a weight that is transposed first, a sum past two of them, and an output before all."""
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal((32, 32)).astype(np.float32) for name in NAMES}
    nodes = [
        helper.make_node("Relu", ["x"], ["begun"], name="begin"),
        helper.make_node("MatMul", ["begun", "first"], ["a"], name="first"),
        helper.make_node("Tanh", ["a"], ["b"], name="between"),
        helper.make_node("Transpose", ["turned"], ["t"], name="turn", perm=[1, 0]),
        helper.make_node("MatMul", ["b", "t"], ["c"], name="turned"),
        helper.make_node("Add", ["c", "begun"], ["d"], name="sum"),
        helper.make_node("MatMul", ["d", "last"], ["y"], name="last"),
    ]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, "n", 32]) for name in ("x", "y", "begun")]
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    made = helper.make_graph(nodes, "three", ends[:1], ends[1:], held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def feeds() -> list[Feeds]:
    rng = np.random.default_rng(1)
    return [{"x": rng.standard_normal((1, size, 32)).astype(np.float32)} for size in (20, 33, 7)]


@pytest.mark.parametrize("form", ["dynamic", "rows", "blockwise"])
def test_a_trial_gives_what_the_whole_graph_does(form: str) -> None:
    model, calls = graph(), feeds()
    trials, truth = Trials(model, NAMES, calls), Truth(evaluate(model, calls))
    for name in NAMES:
        whole = truth.error(evaluate(quantize(model, {name: form}), calls))
        assert trials.error(name, lambda part, name=name: quantize(part, {name: form})) == pytest.approx(
            whole, rel=1e-4
        )
        assert whole > 1e-4


def test_only_what_is_behind_is_computed() -> None:
    sizes: dict[str, list[str]] = {}

    def keep(name: str) -> Any:
        def make(part: onnx.ModelProto) -> onnx.ModelProto:
            sizes[name] = [node.name for node in part.graph.node]
            return part

        return make

    trials = Trials(graph(), NAMES, feeds())
    assert [trials.error(name, keep(name)) for name in NAMES] == [pytest.approx(0, abs=1e-6)] * 3
    assert sizes["last"] == ["last"]
    assert sizes["turned"] == ["turn", "turned", "sum", "last"]
    assert "begin" not in sizes["first"]


def test_rows_are_counted_without_keeping_what_products_give() -> None:
    model = graph()
    assert rows_of(model, products(model), feeds()) == dict.fromkeys(NAMES, 20)


def test_products_of_few_rows_are_asked_for_too() -> None:
    """They stay float where that takes much of the error away for its time."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["x", "many"], ["a"], name="many"),
        helper.make_node("ReduceMean", ["a", "axes"], ["b"], name="mean", keepdims=1),
        helper.make_node("MatMul", ["b", "few"], ["y"], name="few"),
    ]
    weights = {name: rng.standard_normal((128, 128)).astype(np.float32) for name in ("many", "few")}
    held = [numpy_helper.from_array(value, name) for name, value in (weights | {"axes": np.array([1])}).items()]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, None, 128]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    inputs = [{"x": rng.standard_normal((1, 60, 128)).astype(np.float32)} for _ in range(3)]
    asked: dict[str, float] = {}

    def chooser(moved: Any, many: Mapping[str, Shape], few: Mapping[str, Shape]) -> dict[str, LayerPlan]:
        asked.update({node: moved(node, "blockwise") for node in (*many, *few)})
        return {node: LayerPlan("rows", "") for node in many}

    chosen.choose(model, inputs, lambda done, total: None, chooser)
    assert set(asked) == {"many", "few"} and all(0 < error < 0.1 for error in asked.values())
