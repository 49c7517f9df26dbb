"""Forms that a runtime computes wrongly: gone, and what stands in their place gives the same."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.helper import make_node

from edgekit.exporters.onnx.graph import CONTRIB
from edgekit.exporters.onnx.rewriting import repairs
from edgekit.numerics.parity import relative_error
from edgekit.registry import find, names
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

RNG = np.random.default_rng(0)
#: Asks the simulator and the CPU of a file; prints how far they are apart, as a share.
ASK = """
import sys, numpy as np, onnxruntime as ort, onnxruntime_qnn
ort.register_execution_provider_library("QNN", onnxruntime_qnn.get_library_path())
options = ort.SessionOptions()
devices = [one for one in ort.get_ep_devices() if one.ep_name == "QNN"][:1]
options.add_provider_for_devices(devices, {"backend_type": "htp", "soc_model": "57"})
x = np.load(sys.argv[2])
there = ort.InferenceSession(sys.argv[1], options).run(None, {"x": x})[0]
here = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
print("away", np.linalg.norm(there - here) / np.linalg.norm(here))
"""


def graph(x: Any, nodes: Sequence[onnx.NodeProto], held: Sequence[onnx.TensorProto] = ()) -> onnx.ModelProto:
    ends = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["?"] * x.ndim)
    made = helper.make_graph(nodes, "form", [ends], [result], held)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)]
    return onnx.shape_inference.infer_shapes(helper.make_model(made, opset_imports=opsets, ir_version=10))


def cast() -> tuple[Any, onnx.ModelProto]:
    x = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
    return x, graph(x, [make_node("Cast", ["x"], ["y"], name="cast", to=TensorProto.FLOAT)])


def convolution(by: str = "Transpose") -> tuple[Any, onnx.ModelProto]:
    """A picture of 49 x 10 whose channels come last."""
    x, w = (RNG.standard_normal(shape, np.float32) for shape in ((1, 49, 10, 1), (64, 1, 10, 4)))
    moves = [make_node("Transpose", ["x"], ["t"], perm=(0, 3, 1, 2))]
    flat, back = (
        numpy_helper.from_array(np.array(sizes), name) for sizes, name in (([1, 490, 1], "f"), ([1, 1, 49, 10], "b"))
    )
    if by == "Reshape":
        moves = [make_node("Reshape", ["x", "f"], ["u"]), make_node("Transpose", ["u"], ["v"], perm=(0, 2, 1))]
        moves += [make_node("Reshape", ["v", "b"], ["t"])]
    node = make_node("Conv", ["t", "w"], ["y"], name="conv", strides=(2, 2), pads=(4, 1, 5, 1))
    return x, graph(x, [*moves, node], [numpy_helper.from_array(w, "w"), flat, back])


def product(most: int, axis: int) -> tuple[Any, onnx.ModelProto]:
    """A MatMul between quantized ends whose weights have a scale for every index of `axis`, and no zero points."""
    x, w = (RNG.standard_normal(shape, np.float32) for shape in ((1, 8, 64), (64, 32)))
    scale = np.abs(w).max(1 - axis) / most
    kind, whole = (TensorProto.INT4 if most == 7 else TensorProto.INT8), np.round(w / np.expand_dims(scale, 1 - axis))
    held = [helper.make_tensor("w", kind, w.shape, whole.astype(int).ravel()), numpy_helper.from_array(scale, "ws")]
    held += [numpy_helper.from_array(np.array(at, np.float32), name) for name, at in (("xs", 0.03), ("ys", 0.3))]
    held += [numpy_helper.from_array(np.array(128, np.uint8), "z")]
    ends = [["x", "xs", "z"], ["xq", "xs", "z"], ["m", "ys", "z"], ["mq", "ys", "z"]]
    nodes = [make_node("QuantizeLinear", ends[0], ["xq"]), make_node("DequantizeLinear", ends[1], ["xf"])]
    nodes += [make_node("DequantizeLinear", ["w", "ws"], ["wf"], name="weights", axis=axis)]
    nodes += [make_node("MatMul", ["xf", "wf"], ["m"]), make_node("QuantizeLinear", ends[2], ["mq"])]
    return x, graph(x, [*nodes, make_node("DequantizeLinear", ends[3], ["y"])], held)


def blocks(bits: int) -> tuple[Any, onnx.ModelProto]:
    x, w = (RNG.standard_normal((1, 1, 64), np.float32) for _ in range(2))
    scale = np.abs(w).max() / ((1 << (bits - 1)) - 1)
    whole = (np.round(w.reshape(-1) / scale) + (1 << (bits - 1))).astype(np.uint8)
    whole = whole[::2] | whole[1::2] << 4 if bits == 4 else whole
    held = [numpy_helper.from_array(whole.reshape(1, 1, -1), "w"), numpy_helper.from_array(scale.reshape(1, 1), "s")]
    facts = {"K": 64, "N": 1, "bits": bits, "block_size": 64, "domain": CONTRIB}
    return x, graph(x, [make_node("MatMulNBits", ["x", "w", "s"], ["y"], name="blocks", **facts)], held)


def function(name: str, x: Any) -> tuple[Any, onnx.ModelProto]:
    """A function of floats, reshaped."""
    nodes = [make_node(name, ["x"], ["f"], name=name), make_node("Reshape", ["f", "shape"], ["y"])]
    return x, graph(x, nodes, [numpy_helper.from_array(np.array(x.shape), "shape")])


def leaky(pool: bool) -> tuple[Any, onnx.ModelProto]:
    """A convolution, limits, a maximum pool if asked, and a leaky ReLU."""
    x, w = (RNG.standard_normal(shape, np.float32) for shape in ((1, 3, 8, 8), (4, 3, 3, 3)))
    nodes = [make_node("Conv", ["x", "w"], ["c"], name="conv"), make_node("Clip", ["c", "low", "high"], ["l"])]
    nodes += [make_node("MaxPool", ["l"], ["p"], kernel_shape=(2, 2), pads=(1, 1, 1, 1))] if pool else []
    nodes += [make_node("LeakyRelu", ["p" if pool else "l"], ["y"], name="leaky", alpha=0.2)]
    limits = (numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("low", -2), ("high", 3)))
    return x, graph(x, nodes, [numpy_helper.from_array(w, "w"), *limits])


def limits(*kept: str) -> tuple[Any, onnx.ModelProto]:
    """A sum between limits."""
    held = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("low", -1), ("high", 2))]
    ends = ["s", *(name if name in kept else "" for name in ("low", "high"))]
    nodes = [make_node("Add", ["x", "x"], ["s"]), make_node("Clip", ends, ["y"], name="limits")]
    x = below(-3, 3)
    return x, graph(x, nodes, held)


def below(most: float, least: float, *sizes: int) -> Any:
    return np.linspace(least, most, 512, dtype=np.float32).reshape(sizes or (1, 512))


#: Form -> the word of its constraint, how it is made, how far its repair may be from it.
FORMS: dict[str, tuple[str, Callable[[], tuple[Any, onnx.ModelProto]], float]] = {
    "cast": ("a cast from bytes to float", cast, 0),
    "channels last": ("a convolution of moved inputs", convolution, 0),
    "channels last, by shapes": ("a convolution of moved inputs", lambda: convolution("Reshape"), 0),
    "int4": ("int4 without a zero point", lambda: product(7, 1), 0),
    "depth": ("scales along the depth", lambda: product(127, 0), 0.02),  # rounded twice
    "leaky ReLU": ("limits in front of a leaky ReLU", lambda: leaky(False), 1e-6),
    "leaky ReLU of a pool": ("limits in front of a leaky ReLU", lambda: leaky(True), 1e-6),
    "limits": ("a limit of its own", lambda: limits("low", "high"), 0),
    "lower limit": ("a limit of its own", lambda: limits("low"), 0),
    "upper limit": ("a limit of its own", lambda: limits("high"), 0),
    "no limit": ("a limit of its own", limits, 0),
    "negation": ("a negation of five axes", lambda: function("Neg", below(1, -1, 1, 2, 4, 8, 8)), 0),
    "sigmoid": ("a sigmoid in coarse steps", lambda: function("Sigmoid", below(-7, -9)), 1e-4),
    "gelu": ("a gelu in coarse steps", lambda: function("Gelu", below(-1, -40)), 2e-3),
    "gelu above 0": ("a gelu in coarse steps", lambda: function("Gelu", below(40, 2)), 1e-5),
    "exponential": ("an exponential far from 0", lambda: function("Exp", below(0, -200)), 1e-6),
    "4-bit block": ("a single scale of blocks", lambda: blocks(4), 1e-6),
    "8-bit block": ("a single scale of blocks", lambda: blocks(8), 1e-6),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_repair_computes_the_same(form: str) -> None:
    word, make, most = FORMS[form]
    x, model = make()
    repaired = repairs.repair(model, [word])
    onnx.checker.check_model(repaired)
    before, after = (OnnxRunner(one.SerializeToString(), 1)({"x": x}) for one in (model, repaired))
    assert relative_error([after], [before]) <= most
    again = repairs.repair(repaired, [word])
    assert repaired.graph.node != model.graph.node
    assert again.graph.node == repaired.graph.node  # the form is gone


def test_what_no_runtime_rules_out_stays() -> None:
    _, model = cast()
    assert repairs.repair(model, repairs.ruled_out("onnxruntime")) is model


def test_the_words_are_those_of_a_runtime() -> None:
    assert set(repairs.REPAIRS) <= {word for runtime in names("runtimes") for word in repairs.ruled_out(runtime)}
    assert not find("runtimes", "qnn").contradictions()


def test_limits_that_others_read_stay_in_front_of_a_leaky_relu() -> None:
    x, model = leaky(False)
    model.graph.output.append(helper.make_tensor_value_info("l", TensorProto.FLOAT, ["?"] * x.ndim))
    repaired = repairs.repair(model, ["limits in front of a leaky ReLU"])
    assert [node.op_type for node in repaired.graph.node] == ["Conv", "Clip", "LeakyRelu"]


@pytest.mark.parametrize("word", ["limits in front of a leaky ReLU", "a limit of its own"])
def test_limits_that_are_attributes_stay(word: str) -> None:
    """As they were before version 11: they are no operands, and are not to be lost."""
    nodes = [make_node("Clip", ["x"], ["c"], min=-1.0, max=1.0), make_node("LeakyRelu", ["c"], ["y"], alpha=0.2)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy"]
    made = helper.make_graph(nodes, "old", ends[:1], ends[1:])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 10)], ir_version=10)
    assert list(repairs.repair(model, [word]).graph.node) == nodes


def test_a_reshaped_channels_last_picture_that_is_computed_with_first_stays() -> None:
    """An operator between is there already."""
    x = RNG.standard_normal((1, 8, 8, 3), np.float32)
    nodes = [make_node("Transpose", ["x"], ["t"], perm=(0, 3, 1, 2)), make_node("Relu", ["t"], ["r"])]
    nodes += [make_node("Conv", ["r", "w"], ["y"], name="conv")]
    model = graph(x, nodes, [numpy_helper.from_array(RNG.standard_normal((4, 3, 3, 3), np.float32), "w")])
    assert [node.op_type for node in repairs.part_moved_inputs(model).graph.node] == ["Transpose", "Relu", "Conv"]


def test_functions_between_integers_or_of_no_answer_stay() -> None:
    x = below(-2, -3)
    ends = [["x", "s", "z"], ["q", "s", "z"], ["g", "s", "z"], ["p", "s", "z"]]
    nodes = [make_node("QuantizeLinear", ends[0], ["q"]), make_node("DequantizeLinear", ends[1], ["d"])]
    nodes += [make_node("Gelu", ["d"], ["g"]), make_node("QuantizeLinear", ends[2], ["p"])]
    nodes += [make_node("DequantizeLinear", ends[3], ["e"]), make_node("Sigmoid", ["e"], ["i"])]
    held = [
        numpy_helper.from_array(np.array(0.1, np.float32), "s"),
        numpy_helper.from_array(np.array(128, np.uint8), "z"),
    ]
    model = graph(x, [*nodes, make_node("Mul", ["e", "i"], ["y"])], held)
    repaired = repairs.repair(model, ["a gelu in coarse steps", "a sigmoid in coarse steps"])
    assert [node.op_type for node in repaired.graph.node] == [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(("name", "most", "least"), [("Sigmoid", -7, -9), ("Gelu", -3, -40), ("Exp", 0, -200)])
def test_the_simulator_still_needs_a_repair(name: str, most: float, least: float, tmp_path: Path) -> None:
    """When this fails, the constraint has had its day."""
    assert ask(lambda: function(name, below(most, least)), tmp_path, None) > 0.1


@pytest.mark.parametrize("form", FORMS)
def test_the_simulator_computes_a_repair_rightly(form: str, tmp_path: Path) -> None:
    word, make, _ = FORMS[form]
    assert ask(make, tmp_path, word) < 0.01  # 40 dB


def ask(make: Callable[[], tuple[Any, onnx.ModelProto]], folder: Path, word: str | None) -> float:
    """How far the simulator is from the processor, with the repair of a constraint, or without."""
    if importlib.util.find_spec("onnxruntime_qnn") is None:
        pytest.skip("Qualcomm's simulator is not installed: make accelerator-tools")
    x, model = make()
    model = repairs.repair(model, [word]) if word else model
    onnx.save(onnx.shape_inference.infer_shapes(model), folder / "form.onnx")
    np.save(folder / "x.npy", x)
    command = [sys.executable, "-c", ASK, str(folder / "form.onnx"), str(folder / "x.npy")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(told.split("away ")[1])
