"""Sessions beside each other: in one arena, with any number of threads, and beside those of the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from helpers.devices.old_x86 import answers_on
from onnx import helper, numpy_helper

from edgekit.runtimes.onnxruntime.runner import OnnxRunner


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


@pytest.mark.thorough
@pytest.mark.parametrize("processor", ["Haswell", "EPYC-Rome"])
def test_large_bytes_do_not_overflow_on_old_processors(processor: str, tmp_path: Path) -> None:
    """Which add two products of bytes in 16 bits: 255 x 127 twice is more than these hold."""
    one, zero = np.float32(1), np.uint8(0)
    held = {"xs": one, "xz": zero, "w": np.full((64, 16), 127, np.int8), "ws": one, "wz": np.int8(0)}
    held |= {"ys": np.float32(64 * 255 * 127 / 200), "yz": zero}
    ends = [helper.make_tensor_value_info(*end) for end in (("x", 2, [4, 64]), ("y", 2, [4, 16]))]
    node = helper.make_node("QLinearMatMul", ["x", *held], ["y"])
    graph = helper.make_graph(
        [node], "toy", ends[:1], ends[1:], [numpy_helper.from_array(np.asarray(v), k) for k, v in held.items()]
    )
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), file)
    assert (answers_on(processor, file, [np.full((4, 64), 255, np.uint8)]) == 200).all()
