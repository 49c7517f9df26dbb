"""Forms that a judge computes wrongly are still wrong as wrong_forms.md tells, and their repairs are right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor, make_tensor_value_info
from onnx.numpy_helper import from_array

sys.path.insert(0, str(Path(__file__).parent))

import asked

pytestmark = pytest.mark.peers
HERE = Path(__file__).parent
TABLE = (HERE / "wrong_forms.md").read_text(encoding="utf-8")
ROWS = {line.split("`")[1]: re.split(r" *\| *", line)[3:-1] for line in TABLE.splitlines() if line.startswith("| `")}


def graph(x: Any, nodes: Sequence[Any], held: Sequence[Any] = ()) -> tuple[Any, onnx.ModelProto]:
    ends = make_tensor_value_info("x", onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    made = make_graph(nodes, "form", [ends], [make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    return x, make_model(made, opset_imports=[make_opsetid("", 21), make_opsetid("com.microsoft", 1)], ir_version=10)


def cast(repaired: bool) -> tuple[Any, onnx.ModelProto]:
    nodes = [make_node("Cast", ["x"], ["i"], to=TensorProto.INT32)] if repaired else []
    nodes += [make_node("Cast", ["i" if repaired else "x"], ["y"], to=TensorProto.FLOAT)]
    return graph(np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3), nodes)


def convolution(repaired: bool) -> tuple[Any, onnx.ModelProto]:
    x, w = (np.random.default_rng(0).standard_normal(size, np.float32) for size in ((1, 49, 10, 1), (64, 1, 10, 4)))
    nodes = [] if repaired else [make_node("Transpose", ["x"], ["t"], perm=(0, 3, 1, 2))]
    nodes += [make_node("Conv", ["x" if repaired else "t", "w"], ["y"], strides=(2, 2), pads=(4, 1, 5, 1))]
    return graph(x.transpose(0, 3, 1, 2) if repaired else x, nodes, [from_array(w, "w")])


def product(most: int, axis: int, zeros: bool) -> tuple[Any, onnx.ModelProto]:
    """A MatMul between quantized ends, whose weights have a scale for every index of `axis`."""
    x, w = (np.random.default_rng(0).standard_normal(size, np.float32) for size in ((1, 8, 64), (64, 32)))
    scale = np.abs(w).max(1 - axis) / most
    kind, whole = (TensorProto.INT4 if most == 7 else TensorProto.INT8), np.round(w / np.expand_dims(scale, 1 - axis))
    held = [make_tensor("w", kind, w.shape, whole.astype(int).ravel()), from_array(scale, "ws")]
    held += [make_tensor("wz", kind, scale.shape, np.zeros(scale.shape, int))] if zeros else []
    held += [from_array(np.array(at, np.float32), name) for name, at in (("xs", 0.03), ("ys", 0.3))]
    held += [from_array(np.array(128, np.uint8), "z")]
    read = make_node("DequantizeLinear", ["w", "ws", *(["wz"] if zeros else [])], ["wf"], axis=axis)
    nodes = [
        make_node("QuantizeLinear", ["x", "xs", "z"], ["xq"]),
        make_node("DequantizeLinear", ["xq", "xs", "z"], ["xf"]),
    ]
    nodes += [read, make_node("MatMul", ["xf", "wf"], ["m"]), make_node("QuantizeLinear", ["m", "ys", "z"], ["mq"])]
    return graph(x, [*nodes, make_node("DequantizeLinear", ["mq", "ys", "z"], ["y"])], held)


def blocks(repaired: bool) -> tuple[Any, onnx.ModelProto]:
    """A product with a single output, whose weights are a block, or two."""
    size = 32 if repaired else 64
    x, w = np.random.default_rng(0).standard_normal((2, 1, 1, 64), np.float32)
    scale = np.abs(w.reshape(1, -1, size)).max(-1) / 127
    whole = np.round(w.reshape(1, -1, size) / scale[..., None]) + 128
    held = [from_array(whole.astype(np.uint8), "w"), from_array(scale, "s")]
    facts = {"K": 64, "N": 1, "bits": 8, "block_size": size, "domain": "com.microsoft"}
    return graph(x, [make_node("MatMulNBits", ["x", "w", "s"], ["y"], **facts)], held)


def exponential(repaired: bool) -> tuple[Any, onnx.ModelProto]:
    nodes = [make_node("Clip", ["x", "low", "high"], ["e"])] if repaired else []
    nodes += [make_node("Exp", ["e" if repaired else "x"], ["y"])]
    return graph(np.linspace(-200, 0, 512, dtype=np.float32).reshape(1, 512), nodes, bounds() if repaired else [])


def sigmoid(repaired: bool) -> tuple[Any, onnx.ModelProto]:
    nodes = [make_node("Sigmoid", ["x"], ["y"])]
    if repaired:
        nodes = [make_node("Mul", ["x", "minus"], ["n"]), make_node("Clip", ["n", "low", "high"], ["c"])]
        nodes += [
            make_node("Exp", ["c"], ["e"]),
            make_node("Add", ["e", "one"], ["s"]),
            make_node("Reciprocal", ["s"], ["y"]),
        ]
    x = np.linspace(-9, -7, 512, dtype=np.float32).reshape(1, 512)
    return graph(x, nodes, bounds() if repaired else [])


def bounds() -> list[Any]:
    named = {"low": -80, "high": 80, "minus": -1, "one": 1}
    return [from_array(np.array(value, np.float32), name) for name, value in named.items()]


FORMS = {
    "exp-far-below-zero": exponential,
    "sigmoid-small": sigmoid,
    "cast-uint8": cast,
    "channels-last-convolution": convolution,
    "int4-without-zero-point": lambda repaired: product(7, 1, repaired),
    "nbits-single-scale": blocks,
    "matmul-scales-along-depth": lambda repaired: product(127, 1 if repaired else 0, True),
}


@pytest.mark.parametrize("form", sorted(FORMS.keys() | ROWS.keys()))
def test_a_form_is_wrong_as_told(form: str, tmp_path: Path) -> None:
    if find_spec("onnxruntime_qnn") is None:
        pytest.skip("Qualcomm's simulator is not installed: make accelerator-tools")
    judge, wrong, right, seen, repair = ROWS[form]
    wrongs, rights = re.findall(r"SM\d+", wrong), re.findall(r"SM\d+", right)
    for repaired in (False, True):
        answers = ask(*FORMS[form](repaired), [*wrongs, *rights], tmp_path / str(repaired))
        assert {answer["version"] for answer in answers} == {judge.split()[-1]}
        assert not {answer["reason"] for answer in answers} - {""}
        found = [150 if answer["dB"] is None else answer["dB"] for answer in answers]
        assert min(found[0 if repaired else len(wrongs) :], default=150) > 40
        assert found[0] == pytest.approx(decibels(repair if repaired else seen), abs=1.5)
        assert repaired or max(found[: len(wrongs)]) < 20


def ask(x: Any, model: onnx.ModelProto, chips: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """What the simulator of each chip says."""
    folder.mkdir()
    onnx.save(model, folder / "form.onnx")
    out = onnxruntime.InferenceSession(folder / "form.onnx").run(None, {"x": x})[0]
    facts = {"file": str(folder / "form.onnx"), "exporter": "onnx", "precision": "fp32"}
    for chip in chips:
        (folder / chip).mkdir()
        asked.write(folder / chip, facts | {"chip": chip}, {"in": [{"x": x}], "out": [{"y": out}]})
    command = [sys.executable, str(HERE / "qnn.py"), "qualcomm", *(str(folder / chip) for chip in chips)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def decibels(cell: str) -> float:
    return float((re.search(r"(-?[\d.]+) dB", cell) or [""])[1])
