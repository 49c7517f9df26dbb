"""Graphs of every version of ONNX's operators that is read, in every precision and form: valid, and right."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.cases.onnx_cases import CHECKPOINT
from helpers.cases.onnx_cases import model as model_for
from helpers.cases.onnx_operators.case import f
from onnx import helper, numpy_helper

from edgekit.core import Feeds, Part, Recipe, TensorSpec
from edgekit.exporters.onnx import EXPORTER
from edgekit.formats.onnx import load
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.onnxruntime.reference import OnnxGraph
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

N = helper.make_node
VERSIONS = range(7, 23)
TIME, WIDE = 40, 64
FORMS = ("dynamic", "rows", "blockwise", "four-bit")
#: How far a form may move the outputs: products of one or two layers by noise.
LIMITS = {"fp32": 0.0, "fp16": 1e-3, "int8": 0.03, "four-bit": 0.2}


def _recurrent(version: int) -> onnx.ModelProto:
    """x [time, 1, wide]: a product, a recurrent layer of each kind, two products."""
    weights = {
        "first": f(WIDE, WIDE, low=-0.3, high=0.3),
        "w": f(1, 4 * WIDE, WIDE, low=-0.2, high=0.2),
        "r": f(1, 4 * WIDE, WIDE, seed=1, low=-0.2, high=0.2),
        "gw": f(1, 3 * WIDE, WIDE, seed=2, low=-0.2, high=0.2),
        "gr": f(1, 3 * WIDE, WIDE, seed=3, low=-0.2, high=0.2),
        "gemm": f(WIDE, WIDE, seed=4, low=-0.2, high=0.2),
        "bias": f(WIDE, seed=5),
        "last": f(WIDE, 48, seed=6),
    }
    one, more = ([], {"axes": [1]}) if version < 13 else (["one"], {})
    nodes = [
        N("MatMul", ["x", "first"], ["a"], "first"),
        N("Relu", ["a"], ["b"]),
        N("LSTM", ["b", "w", "r"], ["c"], "lstm", hidden_size=WIDE),
        N("Squeeze", ["c", *one], ["d"], **more),
        N("GRU", ["d", "gw", "gr"], ["e"], "gru", hidden_size=WIDE),
        N("Squeeze", ["e", *one], ["g"], **more),
        N("Squeeze", ["g", *one], ["h"], **more),
        N("Gemm", ["h", "gemm", "bias"], ["i"], "gemm"),
        N("Tanh", ["i"], ["j"]),
        N("MatMul", ["j", "last"], ["k"], "last"),
        N("Softmax", ["k"], ["y"], axis=1),
    ]
    arrays = weights | ({"one": np.array([1])} if version >= 13 else {})
    return _model(nodes, arrays, (TIME, 1, WIDE), (TIME, 48), version)


def _convolutional(version: int) -> onnx.ModelProto:
    """x [1, 3, 24, 24]: convolutions with a normalization, a pool, classes."""
    normal = {name: f(16, seed=place, low=0.5, high=1.5) for place, name in enumerate(("s", "t", "m", "v"))}
    arrays = {"c": f(16, 3, 3, 3), "d": f(16, 16, 3, 3, low=-0.2, high=0.2), "w": f(16, 10), **normal}
    nodes = [
        N("Conv", ["x", "c"], ["a"], "first", pads=[1, 1, 1, 1]),
        N("BatchNormalization", ["a", *normal], ["b"]),
        N("Relu", ["b"], ["e"]),
        N("Conv", ["e", "d"], ["g"], "second", strides=[2, 2]),
        N("LeakyRelu", ["g"], ["h"]),
        N("GlobalAveragePool", ["h"], ["p"]),
        N("Flatten", ["p"], ["q"]),
        N("Gemm", ["q", "w"], ["y"], "last") if version >= 11 else N("MatMul", ["q", "w"], ["y"], "last"),
    ]
    return _model(nodes, arrays, (1, 3, 24, 24), (1, 10), version)


def _model(
    nodes: list[onnx.NodeProto], arrays: dict[str, Any], shape: tuple[int, ...], out: tuple[int, ...], version: int
) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(name, 1, size) for name, size in (("x", shape), ("y", out))]
    held = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


NETS = {
    "products": (_recurrent, (TIME, 1, WIDE), (TIME, 48)),
    "convolutions": (_convolutional, (1, 3, 24, 24), (1, 10)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("net", "precision", "form"),
    [
        *((net, precision, "") for net in NETS for precision in ("fp32", "fp16", "int8")),
        *(("products", "int8", form) for form in FORMS),
    ],
)
def test_valid_and_right(net: str, precision: str, form: str, version: int, tmp_path: Path) -> None:
    build, *shapes = NETS[net]
    source = tmp_path / "source.onnx"
    onnx.save(build(version), source)
    ends = [(TensorSpec(name, "float32", shape),) for name, shape in zip("xy", shapes, strict=True)]
    part = Part("net", *ends, {}, None)
    part = Part("net", *ends, {}, partial(_graph, source, part))
    feeds: list[Feeds] = [{"x": f(*shapes[0], seed=seed)} for seed in range(16)]
    recipe = Recipe("onnxruntime", precision, {"form": {"net": form}} if form else {})
    work = tmp_path / "work"
    work.mkdir()
    EXPORTER.export(model_for(part), CHECKPOINT, recipe, {"net": feeds}, tmp_path, work, lambda *_: None)
    made = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(made)
    wanted, answers = ([OnnxRunner(file, 1)(feed) for feed in feeds[:2]] for file in (source, tmp_path / "net.onnx"))
    assert relative_error(answers, wanted) <= LIMITS.get(form or precision, LIMITS["int8"])
    kinds = {node.op_type for node in made.graph.node}
    assert not form or kinds & {"MatMulIntegerToFloat", "MatMulNBits"}
    assert ("ReduceMax" in kinds) == (form == "rows")


def _graph(source: Path, part: Part, _: Any) -> OnnxGraph:
    return OnnxGraph(load(source), part)


@pytest.mark.thorough
def test_a_recurrent_graph_of_version_11_takes_less_than_a_third_in_int8(tmp_path: Path) -> None:
    """10.4 MB: a product with a scale a row, two LSTMs, a product."""
    wide, gates = 336, 4 * 336
    arrays = {
        "first": f(80, wide, low=-0.2, high=0.2),
        **{f"w{i}": f(1, gates, wide, seed=i, low=-0.1, high=0.1) for i in range(2)},
        **{f"r{i}": f(1, gates, wide, seed=9 + i, low=-0.1, high=0.1) for i in range(2)},
        "last": f(wide, 1000, low=-0.2, high=0.2),
    }
    nodes = [N("MatMul", ["x", "first"], ["a"], "first"), N("Tanh", ["a"], ["h0"])]
    for i in range(2):
        nodes.append(N("LSTM", [f"h{i}", f"w{i}", f"r{i}"], [f"s{i}"], f"lstm{i}", hidden_size=wide))
        nodes.append(N("Squeeze", [f"s{i}"], [f"h{i + 1}"], axes=[1]))
    nodes.append(N("MatMul", ["h2", "last"], ["y"], "last"))
    source = tmp_path / "source.onnx"
    onnx.save(_model(nodes, arrays, (TIME, 1, 80), (TIME, 1, 1000), 11), source)
    part = Part(
        "network",
        (TensorSpec("x", "float32", (TIME, 1, 80)),),
        (TensorSpec("y", "float32", (TIME, 1, 1000)),),
        {},
        None,
    )
    part = Part("network", part.inputs, part.outputs, {}, partial(_graph, source, part))
    feeds: list[Feeds] = [{"x": f(TIME, 1, 80, seed=seed)} for seed in range(8)]
    (tmp_path / "work").mkdir()
    recipe = Recipe("onnxruntime", "int8", {"form": {"network": "rows"}})
    EXPORTER.export(
        model_for(part), CHECKPOINT, recipe, {"network": feeds}, tmp_path, tmp_path / "work", lambda *_: None
    )
    assert (tmp_path / "network.onnx").stat().st_size * 10.8 < source.stat().st_size * 3.2
    wanted, answers = (
        [OnnxRunner(file, 1)(feed) for feed in feeds[:2]] for file in (source, tmp_path / "network.onnx")
    )
    assert relative_error(answers, wanted) < LIMITS["int8"]
