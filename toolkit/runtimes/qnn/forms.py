"""Forms that Qualcomm's simulator takes and computes wrongly, each with its repair: what silicon does, a phone can say.

docs/judges.md tells what was seen; its tests look whether it is still so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor,
    make_tensor_value_info,
    np_dtype_to_tensor_dtype,
)
from onnx.numpy_helper import from_array

from edgekit.core import Case, Feeds
from edgekit.runtimes.common import onnx_graphs
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.qnn.runner import compiled_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Form = tuple[NDArray[Any], ModelProto]

#: Least signal to noise (dB) of a form that is right.
_RIGHT = 40.0


def list_cases(parts: Mapping[str, tuple[Path, Sequence[Feeds], float]]) -> Iterator[Case]:
    """Every form and its repair, then the parts of a bundle, with the answers of this machine's processor.

    Args:
        parts: name -> its file, inputs of calls, and the least signal to noise (dB) that is right.
    """
    for name, make in FORMS.items():
        for word, repaired in (("", False), ("-repaired", True)):
            x, model = make(repaired)
            yield _case(name + word, model, [{"x": x}], _RIGHT)
    for name, (file, feeds, least) in parts.items():
        sizes = [{name: value.shape for name, value in one.items()} for one in feeds]
        alike = [one for one, size in zip(feeds, sizes, strict=True) if size == sizes[0]]
        model = onnx_graphs.fix_axes(file, alike[0])
        yield _case(name, model, alike, least)
        if files := compiled_files(file, alike[0]):
            yield _case(f"{name}-compiled", model, alike, least, files)


def _case(name: str, model: ModelProto, feeds: Sequence[Feeds], least: float, files: Sequence[Path] = ()) -> Case:
    content = model.SerializeToString()
    runner = OnnxRunner(content, 1)
    return Case(name, content, [(one, runner(one)) for one in feeds], least, files)


def _graph(x: Any, nodes: Sequence[Any], held: Sequence[Any] = ()) -> Form:
    ends = make_tensor_value_info("x", np_dtype_to_tensor_dtype(x.dtype), x.shape)
    made = make_graph(nodes, "form", [ends], [make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    return x, make_model(made, opset_imports=[make_opsetid("", 21), make_opsetid("com.microsoft", 1)], ir_version=10)


def _cast(repaired: bool) -> Form:
    nodes = [make_node("Cast", ["x"], ["i"], to=TensorProto.INT32)] if repaired else []
    nodes += [make_node("Cast", ["i" if repaired else "x"], ["y"], to=TensorProto.FLOAT)]
    return _graph(np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3), nodes)


def _convolution(repaired: bool) -> Form:
    x, w = (np.random.default_rng(0).standard_normal(size, np.float32) for size in ((1, 49, 10, 1), (64, 1, 10, 4)))
    nodes = [] if repaired else [make_node("Transpose", ["x"], ["t"], perm=(0, 3, 1, 2))]
    nodes += [make_node("Conv", ["x" if repaired else "t", "w"], ["y"], strides=(2, 2), pads=(4, 1, 5, 1))]
    return _graph(x.transpose(0, 3, 1, 2) if repaired else x, nodes, [from_array(w, "w")])


def _product(most: int, axis: int, zeros: bool) -> Form:
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
    return _graph(x, [*nodes, make_node("DequantizeLinear", ["mq", "ys", "z"], ["y"])], held)


def _blocks(repaired: bool) -> Form:
    """A product with a single output, whose weights are a block, or two."""
    size = 32 if repaired else 64
    x, w = np.random.default_rng(0).standard_normal((2, 1, 1, 64), np.float32)
    scale = np.abs(w.reshape(1, -1, size)).max(-1) / 127
    whole = np.round(w.reshape(1, -1, size) / scale[..., None]) + 128
    held = [from_array(whole.astype(np.uint8), "w"), from_array(scale, "s")]
    facts: dict[str, Any] = {"K": 64, "N": 1, "bits": 8, "block_size": size, "domain": "com.microsoft"}
    return _graph(x, [make_node("MatMulNBits", ["x", "w", "s"], ["y"], **facts)], held)


def _exponential(repaired: bool) -> Form:
    nodes = [make_node("Clip", ["x", "low", "high"], ["e"])] if repaired else []
    nodes += [make_node("Exp", ["e" if repaired else "x"], ["y"])]
    return _graph(np.linspace(-200, 0, 512, dtype=np.float32).reshape(1, 512), nodes, _bounds() if repaired else [])


def _sigmoid(repaired: bool) -> Form:
    nodes = [make_node("Sigmoid", ["x"], ["y"])]
    if repaired:
        nodes = [make_node("Mul", ["x", "minus"], ["n"]), make_node("Clip", ["n", "low", "high"], ["c"])]
        nodes += [
            make_node("Exp", ["c"], ["e"]),
            make_node("Add", ["e", "one"], ["s"]),
            make_node("Reciprocal", ["s"], ["y"]),
        ]
    x = np.linspace(-9, -7, 512, dtype=np.float32).reshape(1, 512)
    return _graph(x, nodes, _bounds() if repaired else [])


def _bounds() -> list[Any]:
    named = {"low": -80, "high": 80, "minus": -1, "one": 1}
    return [from_array(np.array(value, np.float32), name) for name, value in named.items()]


#: Name -> whether it is repaired -> an input, and the graph.
FORMS: Mapping[str, Callable[[bool], Form]] = {
    "exp-far-below-zero": _exponential,
    "sigmoid-small": _sigmoid,
    "cast-uint8": _cast,
    "channels-last-convolution": _convolution,
    "int4-without-zero-point": lambda repaired: _product(7, 1, repaired),
    "nbits-single-scale": _blocks,
    "matmul-scales-along-depth": lambda repaired: _product(127, 1 if repaired else 0, True),
}
