"""Steps of 2 to 7 bits in planes: what onnxruntime makes of them, and what they take."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgekit.exporters.onnx.planes import stored


def model(values: np.ndarray, bits: int) -> onnx.ModelProto:
    added: dict[str, np.ndarray] = {}
    nodes = stored("w", values, bits, added)
    graph = helper.make_graph(
        [*nodes, helper.make_node("Mul", ["w", "x"], ["y"])],
        "planes",
        [helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [1])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, values.shape)],
        [numpy_helper.from_array(array, name) for name, array in added.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("bits", range(2, 8))
@pytest.mark.parametrize("shape", [(5, 3), (64, 16), (7,), (2, 3, 32)])
def test_what_comes_out(bits: int, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 1 << bits, shape).astype(np.uint8)
    made = model(values, bits)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x": np.ones(1, np.uint8)})[0], values << (8 - bits))


@pytest.mark.parametrize("bits", range(2, 8))
def test_the_file_holds_the_bits_and_the_session_a_constant(bits: int, tmp_path: object) -> None:
    values = np.random.default_rng(0).integers(0, 1 << bits, (64, 64)).astype(np.uint8)
    made = model(values, bits)
    weights = sum(len(tensor.raw_data) for tensor in made.graph.initializer if tensor.name.startswith("w.plane"))
    assert weights == values.size * bits // 8
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = f"{tmp_path}/loaded.onnx"
    onnxruntime.InferenceSession(made.SerializeToString(), options)
    assert [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node] == ["Mul"]
