"""Small graphs that a judge computes wrongly, each with its repair. Runs in .venv-qnn; wrong_forms.md is their table.

python wrong_forms.py CHIP...    prints a JSON line: the version, and form -> [chip -> dB as asked, chip -> dB repaired]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from asked import decibels, distance
from judge_qnn import register, session
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor, make_tensor_value_info

DEEP, WIDE = 64, 32
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.standard_normal((DEEP, WIDE)).astype(np.float32) / 8
KERNELS = RANDOM.standard_normal((64, 1, 10, 4)).astype(np.float32) / 6
Node = onnx.NodeProto


def graph(
    nodes: Sequence[Node], shape: Sequence[int], kind: int = TensorProto.FLOAT, **weights: Any
) -> onnx.ModelProto:
    """From the input x to the output y."""
    held = [w if isinstance(w, onnx.TensorProto) else onnx.numpy_helper.from_array(np.asarray(w), n) for n, w in weights.items()]  # fmt: skip
    ends = make_tensor_value_info("x", kind, shape), make_tensor_value_info("y", TensorProto.FLOAT, None)
    return make_model(make_graph(nodes, "form", ends[:1], ends[1:], held), opset_imports=[make_opsetid("", 21)], ir_version=10)  # fmt: skip


def cast(*through: int) -> onnx.ModelProto:
    """Whole numbers as they come from a photo, cast to float."""
    names = ["x", *(f"x{kind}" for kind in through), "y"]
    kinds = [*through, TensorProto.FLOAT]
    nodes = [make_node("Cast", [a], [b], to=kind) for a, b, kind in zip(names, names[1:], kinds, strict=False)]
    return graph(nodes, (1, 8, 8, 3), TensorProto.UINT8)


def convolution(channels_last: bool) -> onnx.ModelProto:
    nodes = [make_node("Transpose", ["x"], ["t"], perm=(0, 3, 1, 2))] if channels_last else []
    nodes += [make_node("Conv", ["t" if channels_last else "x", "w"], ["y"], strides=(2, 2), pads=(4, 1, 5, 1))]
    return graph(nodes, (1, 49, 10, 1) if channels_last else (1, 1, 49, 10), w=KERNELS)


def product(most: int, axis: int, zeros: bool) -> onnx.ModelProto:
    """A MatMul between quantized ends, whose weights have a scale for every index of `axis`."""
    scale = np.abs(WEIGHTS).max(1 - axis) / most
    whole = np.round(WEIGHTS / np.expand_dims(scale, 1 - axis)).astype(np.int8)
    kind = TensorProto.INT4 if most == 7 else TensorProto.INT8
    weights = {name: make_tensor(name, kind, value.shape, value.ravel().tolist())
               for name, value in (("w", whole), ("wz", np.zeros(scale.shape, np.int8)))}  # fmt: skip
    nodes = [
        make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        make_node("DequantizeLinear", ["xq", "s", "z"], ["xf"]),
        make_node("DequantizeLinear", ["w", "ws", *(["wz"] if zeros else [])], ["wf"], axis=axis),
        make_node("MatMul", ["xf", "wf"], ["m"]),
        make_node("QuantizeLinear", ["m", "s", "z"], ["mq"]),
        make_node("DequantizeLinear", ["mq", "s", "z"], ["y"]),
    ]
    ends = {"s": np.float32(8 / 255), "z": np.uint8(128), "ws": scale.astype(np.float32)}
    return graph(nodes, (1, 8, DEEP), **ends, **(weights if zeros else {"w": weights["w"]}))


#: Form -> the graph, and the repaired one.
FORMS: Mapping[str, tuple[Callable[[], onnx.ModelProto], Callable[[], onnx.ModelProto]]] = {
    "cast-uint8": (cast, lambda: cast(TensorProto.INT32)),
    "channels-last-convolution": (lambda: convolution(True), lambda: convolution(False)),
    "int4-without-zero-point": (lambda: product(7, 1, False), lambda: product(7, 1, True)),
    "matmul-scales-along-depth": (lambda: product(127, 0, True), lambda: product(127, 1, True)),
}


def ask(model: onnx.ModelProto, chips: Sequence[str], file: Path) -> dict[str, float]:
    """Chip -> distance from the CPU on the same graph, which it must take but for the ends."""
    value = model.graph.input[0].type.tensor_type
    shape = [size.dim_value for size in value.shape.dim]
    whole = value.elem_type == TensorProto.UINT8
    x = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8) if whole else np.random.default_rng(1).standard_normal(shape, np.float32)  # fmt: skip
    onnx.save(model, file)
    expected, found = session(file).run(None, {"x": x})[0], {}
    for chip in chips:
        simulator = session(file, chip)
        left = {node.op_type for group in simulator.get_provider_graph_assignment_info() if group.ep_name != "QNN"
                for node in group.get_nodes()}  # fmt: skip
        if left - {"QuantizeLinear", "DequantizeLinear"}:
            raise ValueError(f"it leaves {', '.join(left)} to the CPU")
        found[chip] = decibels(distance([{"y": simulator.run(None, {"x": x})[0]}], [{"y": expected}])) or 160.0
    return found


def main(chips: Sequence[str]) -> None:
    register()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "form.onnx"
        found = {name: [ask(make(), chips, file) for make in pair] for name, pair in FORMS.items()}
    print("\n" + json.dumps({"version": version("onnxruntime-qnn"), "found": found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
