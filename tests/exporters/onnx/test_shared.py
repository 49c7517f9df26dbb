"""Weights of a block that is called several times are in the file once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers.cases.onnx_cases import CHECKPOINT
from helpers.cases.onnx_cases import model as model_for
from onnx import TensorProto, helper, numpy_helper

from edgekit.core import Part, Recipe, TensorSpec
from edgekit.exporters.onnx import EXPORTER
from edgekit.exporters.onnx.graph import share
from edgekit.runtimes.onnxruntime.runner import OnnxRunner


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


class Twice(torch.nn.Module):
    """A layer, and the same or another one."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(64, 64)
        self.second = self.first if shared else torch.nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(torch.relu(self.first(x)))
        return out


@pytest.mark.parametrize("shared", [True, False])
def test_it_is_said_where_older_processors_have_no_exact_kernels(shared: bool, tmp_path: Path) -> None:
    """onnxruntime refuses them for int8 weights that two products share, on every processor."""
    ends = [(TensorSpec(name, "float32", (20, 64)),) for name in "xy"]
    part, said = Part("net", *ends, {}, lambda checkpoint: Twice(shared)), list[str]()
    # So few rows that weights are rounded to nearest, the same in both places.
    feeds = [{"x": np.random.default_rng(i).normal(size=(20, 64)).astype(np.float32)} for i in range(4)]
    recipe, work = Recipe("onnxruntime", "int8", {"form": {"net": "dynamic"}}), tmp_path / "work"
    work.mkdir()
    [made] = EXPORTER.export(
        model_for(part), CHECKPOINT, recipe, {"net": feeds}, tmp_path, work, lambda text, *_: said.append(text)
    )
    note = "net: products share 1 int8 tensor, whose sums may overflow on x86 without VNNI"
    assert (note in said, len(made.census["shared_int8"])) == ((True, 1) if shared else (False, 0))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        onnxruntime.InferenceSession(str(tmp_path / made.file), options, providers=["CPUExecutionProvider"])
        refused = False
    except Exception:  # onnxruntime's exceptions share no base but Exception
        refused = True
    assert refused is shared


def test_zero_points_of_products_stay_apart() -> None:
    """Else onnxruntime refuses the kernels that do not overflow on processors without VNNI."""
    random, count = np.random.default_rng(0), 1024
    held = {"one": np.ones(1, np.float32), "middle": np.array([128], np.uint8)}
    for name in "ab":
        held |= {f"{name}.int8": random.integers(-127, 127, (8, count)).astype(np.int8)}
        held |= {f"{name}.scales": np.full(count, 0.01, np.float32), f"{name}.zeros": np.zeros(count, np.int8)}
    nodes = [
        helper.make_node(
            "MatMulIntegerToFloat",
            ["x", f"{name}.int8", "one", f"{name}.scales", "middle", f"{name}.zeros"],
            [f"y.{name}"],
            domain="com.microsoft",
        )
        for name in "ab"
    ]
    ends = [helper.make_tensor_value_info(f"y.{name}", TensorProto.FLOAT, [3, count]) for name in "ab"]
    given = [helper.make_tensor_value_info("x", TensorProto.UINT8, [3, 8])]
    tensors = [numpy_helper.from_array(array, name) for name, array in held.items()]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph(nodes, "g", given, ends, tensors), ir_version=10, opset_imports=opsets)
    share(model)
    exact = onnxruntime.SessionOptions()
    exact.add_session_config_entry("session.x64quantprecision", "1")
    exact.log_severity_level = 4
    feeds = {"x": random.integers(0, 255, (3, 8)).astype(np.uint8)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), exact, providers=["CPUExecutionProvider"])
    runner = OnnxRunner(model.SerializeToString(), 1)
    for found, wanted in zip(session.run(None, feeds), runner(feeds).values(), strict=True):
        assert np.allclose(found, wanted)
