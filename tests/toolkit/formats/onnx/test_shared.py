"""What sessions of a process share: threads and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.formats.onnx.runner import OnnxRunner

#: Runs a model with two threads, in two sessions, and says how many threads that started and what they answer.
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import onnxruntime
from edgekit.formats.onnx.runner import OnnxRunner
exec(sys.argv[2])
def threads():
    return len(list(Path("/proc/self/task").iterdir()))
before = threads()
runners = [OnnxRunner(Path(sys.argv[1]), 2) for _ in range(2)]
feeds = {"x": np.ones((64, 256), np.float32)}
answers = [float(runner(feeds)["y"].sum()) for runner in runners]
print(threads() - before, *answers)
"""


@pytest.fixture
def product(tmp_path: Path) -> Path:
    weights = np.full((256, 256), 0.5, np.float32)
    ends = [helper.make_tensor_value_info(name, 1, ["rows", 256]) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "toy", ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
    file = tmp_path / "product.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), file)
    return file


def started(product: Path, before: str) -> tuple[int, list[float]]:
    command = [sys.executable, "-c", PROGRAM, str(product), before]
    count, *answers = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(count), [float(answer) for answer in answers]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc, which Linux has")
def test_sessions_share_their_threads(product: Path) -> None:
    assert started(product, "") == (1, [64 * 256 * 128.0] * 2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc, which Linux has")
def test_a_program_may_have_made_its_own_pool(product: Path) -> None:
    assert started(product, "onnxruntime.set_global_thread_pool_sizes(3, 1)") == (2, [64 * 256 * 128.0] * 2)


def test_any_number_of_threads_and_rows(product: Path) -> None:
    """Sessions whose number of threads the pool does not have, and tensors that outgrow the arena's begin."""
    runners = [OnnxRunner(product, threads) for threads in (1, 2, 3)]
    for rows in (1, 100_000, 7):
        feeds = {"x": np.ones((rows, 256), np.float32)}
        for runner in runners:
            assert np.array_equal(runner(feeds)["y"], np.full((rows, 256), 128, np.float32))
