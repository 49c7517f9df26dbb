"""Sessions beside each other: in one arena, with any number of threads, and beside those of the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgekit.formats.onnx.runner import OnnxRunner


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """One of two parts in a folder: a product."""
    weights = np.full((256, 256), 0.5, np.float32)
    ends = [helper.make_tensor_value_info(name, 1, ["rows", 256]) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "toy", ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    for name in ("product.onnx", "other.onnx"):
        onnx.save(model, tmp_path / name)
    return tmp_path / "product.onnx"


def test_any_number_of_threads_and_rows(product: Path) -> None:
    """Tensors outgrow what the arena begins with, and what a session answered outlives the next runs and itself."""
    runners = [OnnxRunner(product, threads) for threads in (1, 2, 3)]
    kept = [runner({"x": np.full((50, 256), 2, np.float32)})["y"] for runner in runners]
    for rows in (1, 100_000, 7):
        feeds = {"x": np.ones((rows, 256), np.float32)}
        for runner in runners:
            assert np.array_equal(runner(feeds)["y"], np.full((rows, 256), 128, np.float32))
    runners.clear()
    for answer in kept:
        assert np.array_equal(answer, np.full((50, 256), 256, np.float32))


def test_sessions_of_the_program_are_left_alone(product: Path) -> None:
    own = {"x": np.ones((3, 256), np.float32)}
    before = onnxruntime.InferenceSession(product, providers=["CPUExecutionProvider"])
    runner = OnnxRunner(product, 2)
    after = onnxruntime.InferenceSession(product, providers=["CPUExecutionProvider"])
    answers = [session.run(None, own)[0] for session in (before, after)]
    assert all(np.array_equal(answer, runner(own)["y"]) for answer in answers)
