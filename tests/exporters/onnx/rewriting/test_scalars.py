"""Products and sums with scalars go into weights, and what is computed stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.helper import make_node

from edgekit.exporters.onnx.rewriting.scalars import fold_scalars
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

RNG = np.random.default_rng(0)
X = RNG.standard_normal((1, 3, 8, 8), np.float32)
HELD = {
    "w": RNG.standard_normal((4, 3, 3, 3), np.float32),
    "v": RNG.standard_normal((4, 4, 3, 3), np.float32),
    "b": RNG.standard_normal(4, np.float32),
    **{f"c{value}": np.array(value, np.float32) for value in (-0.0001, 0.5, 1.0, 3.0, 127.5)},
}


def graph(*nodes: Any, outputs: Sequence[str] = ("y",)) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["?"] * 4) for name in outputs]
    used = {name for node in nodes for name in node.input}
    held = [numpy_helper.from_array(array, name) for name, array in HELD.items() if name in used]
    made = helper.make_graph(nodes, "scalars", ends, results, held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


PADDED = {"pads": (1, 1, 1, 1)}
BEHIND = [make_node("Conv", ["x", "w"], ["a"], **PADDED), make_node("Mul", ["a", "c3.0"], ["d"])]
BEFORE = [make_node("Div", ["x", "c127.5"], ["a"]), make_node("Sub", ["a", "c1.0"], ["d"])]


@pytest.mark.parametrize(
    ("model", "left"),
    [
        (graph(*BEHIND, make_node("Add", ["d", "c0.5"], ["e"]), make_node("Relu", ["e"], ["y"])), ["Conv", "Relu"]),
        # What is added before padding is padded with 0, so the sum stays.
        (graph(*BEFORE, make_node("Conv", ["d", "w", "b"], ["y"], **PADDED)), ["Add", "Conv"]),
        (
            graph(
                *(make_node("Mul", ["x", "c3.0"], ["a"]), make_node("Transpose", ["a"], ["d"], perm=(0, 1, 3, 2))),
                make_node("Conv", ["d", "w"], ["y"]),
            ),
            ["Transpose", "Conv"],
        ),
        (graph(make_node("Mul", ["x", "c3.0"], ["a"]), make_node("Div", ["a", "c127.5"], ["y"])), ["Mul", "Div"]),
        (
            graph(
                *(make_node("Mul", ["x", "c3.0"], ["a"]), make_node("Div", ["a", "c127.5"], ["d"])),
                make_node("Relu", ["d"], ["y"]),
            ),
            ["Mul", "Relu"],
        ),
    ],
)
def test_scalars_go_where_weights_are(model: onnx.ModelProto, left: Sequence[str]) -> None:
    folded = fold_scalars(model)
    onnx.checker.check_model(folded)
    before, after = (OnnxRunner(one.SerializeToString(), 1)({"x": X}) for one in (model, folded))
    assert relative_error([after], [before]) < 1e-6
    names = [node.op_type for node in folded.graph.node]
    assert [name.replace("Div", "Mul") for name in names] == [name.replace("Div", "Mul") for name in left]


@pytest.mark.parametrize(
    "model",
    [
        # Another reader needs the value as it is; the weights serve two layers; half precision could not hold them.
        graph(*BEHIND, make_node("Add", ["d", "a"], ["y"])),
        graph(*BEHIND, make_node("Conv", ["x", "w"], ["e"], **PADDED), make_node("Add", ["d", "e"], ["y"])),
        graph(
            make_node("Conv", ["x", "w"], ["a"]),
            make_node("Mul", ["a", "c-0.0001"], ["d"]),
            make_node("Relu", ["d"], ["y"]),
        ),
        graph(*BEHIND, make_node("Relu", ["d"], ["y"]), outputs=("y", "a")),
    ],
)
def test_scalars_stay_where_weights_cannot_take_them(model: onnx.ModelProto) -> None:
    folded = fold_scalars(model)
    before, after = (OnnxRunner(one.SerializeToString(), 1)({"x": X}) for one in (model, folded))
    assert relative_error([after], [before]) < 1e-6
    assert sorted(node.op_type for node in folded.graph.node) == sorted(node.op_type for node in model.graph.node)
