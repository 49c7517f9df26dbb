"""Weights of a block that is called several times are in the file once."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.exporters.onnx.graph import share
from edgekit.formats.onnx.runner import OnnxRunner


def test_equal_initializers_become_one_and_the_answers_stay() -> None:
    random = np.random.default_rng(0)
    weights, other = (random.standard_normal((32, 32)).astype(np.float32) for _ in range(2))
    held = {
        "a": weights,
        "b": weights.copy(),
        "c": other,
        "small": np.ones(32, np.float32),
        "small2": np.ones(32, np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["y1"]),
        helper.make_node("MatMul", ["y1", "b"], ["y2"]),
        helper.make_node("MatMul", ["y2", "c"], ["y3"]),
        helper.make_node("Add", ["y3", "small"], ["y4"]),
        helper.make_node("Add", ["y4", "small2"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 32]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in held.items()]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors), ir_version=10)
    model.opset_import[0].version = 20
    feeds = {"x": random.standard_normal((1, 32)).astype(np.float32)}
    before = OnnxRunner(model.SerializeToString(), 1)(feeds)["y"]
    share(model)
    assert [tensor.name for tensor in model.graph.initializer] == ["a", "c", "small", "small2"]
    onnx.checker.check_model(model)
    assert np.array_equal(OnnxRunner(model.SerializeToString(), 1)(feeds)["y"], before)
    content = model.SerializeToString()
    share(model)
    assert model.SerializeToString() == content
