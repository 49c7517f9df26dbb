"""Models in memory: their large constants are handed over beside them, and the answers are those of the whole model."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import CannotRun
from edgekit.runtimes.onnxruntime.runner import OnnxRunner, evaluate, open_model

_SIZE = 256
WEIGHTS = np.random.default_rng(0).normal(size=(_SIZE, _SIZE)).astype(np.float32)
FEEDS = {"x": np.random.default_rng(1).normal(size=(3, _SIZE)).astype(np.float32)}


def declared(name: str, shape: Any, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(weights: onnx.TensorProto, *nodes: onnx.NodeProto, more: Any = (), version: int = 10) -> onnx.ModelProto:
    inputs = [declared("x", [None, _SIZE]), *more]
    graph = helper.make_graph(nodes, "g", inputs, [declared("y", None)], [weights])
    return helper.make_model(graph, ir_version=version, opset_imports=[helper.make_opsetid("", 21)])


def same(whole: onnx.ModelProto, feeds: Any = FEEDS) -> bool:
    before = whole.SerializeToString(deterministic=True)
    [made] = evaluate(whole, [feeds])
    assert whole.SerializeToString(deterministic=True) == before
    return np.array_equal(made["y"], OnnxRunner(before, 1)(feeds)["y"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64])
def test_a_constant_of_any_dtype(dtype: Any) -> None:
    weights = numpy_helper.from_array((WEIGHTS * 10).astype(dtype), "w")
    assert same(model(weights, helper.make_node("Cast", ["w"], ["f"], to=1), helper.make_node("MatMul", "xf", "y")))


def test_constants_of_dtypes_that_numpy_has_not_stay_in_the_bytes() -> None:
    halves = (WEIGHTS.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    weights = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=WEIGHTS.shape, raw_data=halves)
    assert same(model(weights, helper.make_node("Cast", ["w"], ["f"], to=1), helper.make_node("MatMul", "xf", "y")))
    weights = TensorProto(name="w", data_type=TensorProto.INT4, dims=[512, 512], raw_data=bytes(range(256)) * 512)
    graph = model(weights, helper.make_node("DequantizeLinear", ["w", "s"], ["y"]))
    graph.graph.initializer.append(numpy_helper.from_array(np.float32(2), "s"))
    assert same(graph)


def test_constants_that_are_inputs_too_and_those_of_a_branch() -> None:
    weights, product = numpy_helper.from_array(WEIGHTS, "w"), helper.make_node("MatMul", "xw", "y")
    assert same(model(weights, product, more=[declared("w", WEIGHTS.shape)], version=3))
    branches = {
        "then_branch": helper.make_graph([helper.make_node("MatMul", "xw", "t")], "a", [], [declared("t", None)]),
        "else_branch": helper.make_graph([helper.make_node("Identity", "x", "e")], "b", [], [declared("e", None)]),
    }
    choice = helper.make_node("If", ["c"], ["y"], **branches)
    assert same(model(weights, choice, more=[declared("c", [], TensorProto.BOOL)]), {**FEEDS, "c": np.array(True)})


def test_other_outputs_and_more_nodes() -> None:
    first, second = helper.make_node("MatMul", "xw", "z"), helper.make_node("Relu", "z", "y")
    graph = model(numpy_helper.from_array(WEIGHTS, "w"), first, second)
    [made] = evaluate(graph, [FEEDS], ["z", "shape"], [helper.make_node("Shape", ["y"], ["shape"])])
    assert set(made) == {"z", "shape"} and made["shape"].tolist() == [3, _SIZE]
    np.testing.assert_allclose(made["z"], FEEDS["x"] @ WEIGHTS, rtol=1e-4, atol=1e-4)


def test_a_shape_that_is_not_that_of_the_bytes_is_refused() -> None:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[_SIZE, 7], raw_data=WEIGHTS.tobytes())
    with pytest.raises(CannotRun):
        open_model(model(weights, helper.make_node("MatMul", "xw", "y")))
