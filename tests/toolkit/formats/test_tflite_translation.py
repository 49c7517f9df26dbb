"""Float .tflite networks as torch modules: every operator beside LiteRT's own interpreter, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.tflite_models import Builder, Case, product, schema

from edgekit.errors import BadInput, Unsupported
from edgekit.formats import tflite
from edgekit.formats.tflite.translation import translate_graph

SHAPE = (1, 6, 5, 4)
RNG = np.random.default_rng(3)


class Floats:
    """A float graph of one input, operator by operator."""

    def __init__(self, shape: tuple[int, ...] = SHAPE) -> None:
        self.build = Builder("float32")
        self.first = self.last = self.tensor(shape)

    def tensor(self, shape: tuple[int, ...], data: Any = None, dtype: str = "float32") -> int:
        return self.build.tensor(shape, dtype, None, data=data)

    def constant(self, *shape: int, dtype: str = "float32") -> int:
        return self.tensor(shape, RNG.normal(size=shape).astype(dtype), dtype)

    def whole(self, *values: Any) -> int:
        data = np.array(values, np.int32)
        return self.tensor(data.shape, data, "int32")

    def then(self, name: str, shape: tuple[int, ...], *more: int, options: Any = None) -> Floats:
        after = self.tensor(shape)
        self.build.add(name, [self.last, *more], [after], options)
        self.last = after
        return self

    @property
    def content(self) -> bytes:
        return self.build.finish([self.first], [self.last])


def options(kind: str, **values: Any) -> Any:
    made = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def window(kind: str, stride: int, *, same: bool, **values: Any) -> Any:
    return options(kind, strideH=stride, strideW=stride, padding=0 if same else 1, **values)


def halved(graph: Floats) -> int:
    """A kernel stored in float16, unpacked by an operator."""
    weight = graph.constant(3, 3, 3, 4, dtype="float16")
    unpacked = graph.tensor((3, 3, 3, 4))
    graph.build.add("DEQUANTIZE", [weight], [unpacked])
    return unpacked


def convolution(stride: int, same: bool, shape: tuple[int, ...], activation: int = 0) -> Callable[[Floats], Floats]:
    def make(graph: Floats) -> Floats:
        about = window("Conv2D", stride, same=same, fusedActivationFunction=activation)
        return graph.then("CONV_2D", shape, halved(graph), graph.constant(3), options=about)

    return make


def depthwise(graph: Floats) -> Floats:
    about = window("DepthwiseConv2D", 2, same=True, depthMultiplier=1, fusedActivationFunction=3)
    return graph.then("DEPTHWISE_CONV_2D", (1, 3, 3, 4), graph.constant(1, 5, 5, 4), graph.constant(4), options=about)


GRAPHS: dict[str, Callable[[Floats], Floats]] = {
    "convolution": convolution(1, True, (1, 6, 5, 3)),
    "convolution, strided, uneven": convolution(2, True, (1, 3, 3, 3), 1),
    "convolution, valid": convolution(2, False, (1, 2, 2, 3), 3),
    "depthwise": depthwise,
    "a constant a channel": lambda g: g.then("ADD", SHAPE, g.constant(4), options=options("Add")),
    "a constant for everything": lambda g: g.then("MUL", SHAPE, g.constant(*SHAPE), options=options("Mul")),
    "a square": lambda g: g.then("SUB", SHAPE, g.last, options=options("Sub", fusedActivationFunction=1)),
    "slopes": lambda g: g.then("PRELU", SHAPE, g.constant(1, 1, 4)),
    "channels of zeros": lambda g: g.then("PAD", (1, 6, 5, 7), g.whole((0, 0), (0, 0), (0, 0), (0, 3))),
    "rows of zeros": lambda g: g.then("PAD", (1, 9, 5, 4), g.whole((0, 0), (1, 2), (0, 0), (0, 0))),
    "side by side": lambda g: g.then("CONCATENATION", (1, 6, 10, 4), g.last, options=options("Concatenation", axis=2)),
    "depth to space": lambda g: g.then("DEPTH_TO_SPACE", (1, 12, 10, 1), options=options("DepthToSpace", blockSize=2)),
    "in another shape": lambda g: g.then("RESHAPE", (1, 30, 4), g.whole(1, 30, 4)),
    "mean of a picture": lambda g: g.then("MEAN", (1, 4), g.whole(1, 2), options=options("Reducer", keepDims=False)),
    "mean of channels": lambda g: g.then("MEAN", (1, 6, 5, 1), g.whole(3), options=options("Reducer", keepDims=True)),
    "larger": lambda g: g.then(
        "RESIZE_BILINEAR", (1, 9, 10, 4), g.whole(9, 10), options=options("ResizeBilinear", halfPixelCenters=True)
    ),
    "larger, by corners": lambda g: g.then(
        "RESIZE_BILINEAR", (1, 11, 9, 4), g.whole(11, 9), options=options("ResizeBilinear", alignCorners=True)
    ),
    "flat product": lambda g: g.then(
        "FULLY_CONNECTED", (1, 7), g.constant(7, 120), g.constant(7), options=options("FullyConnected")
    ),
    "largest": lambda g: g.then(
        "MAX_POOL_2D", (1, 3, 2, 4), options=window("Pool2D", 2, same=False, filterHeight=2, filterWidth=2)
    ),
    "mean of windows": lambda g: g.then(
        "AVERAGE_POOL_2D", (1, 3, 2, 4), options=window("Pool2D", 2, same=False, filterHeight=2, filterWidth=2)
    ),
} | {name: (lambda g, name=name: g.then(name, SHAPE)) for name in ("RELU", "RELU6", "HARD_SWISH", "LOGISTIC", "TANH")}


@pytest.mark.parametrize("name", GRAPHS)
def test_an_operator_computes_what_litert_computes(name: str) -> None:
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    content = GRAPHS[name](Floats()).content
    values = RNG.normal(scale=3, size=SHAPE).astype(np.float32)
    interpreter = interpreter_of(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    wanted = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    with torch.inference_mode():
        (output,) = translate_graph(tflite.read(content))(torch.from_numpy(values))
    assert output.numpy() == pytest.approx(wanted, abs=1e-5 * max(1.0, float(np.abs(wanted).max())))


def test_the_last_operator_can_be_left_out() -> None:
    graph = tflite.read(Floats().then("RELU", SHAPE).then("LOGISTIC", SHAPE).content)
    module = translate_graph(graph)
    with pytest.raises(BadInput, match="does not end with TANH"):
        module.without_last("TANH")
    module.without_last("LOGISTIC")
    assert module(torch.full(SHAPE, 7.0))[0].max() == 7


def computed_weights() -> bytes:
    graph = Floats((4, 4))
    return graph.then("FULLY_CONNECTED", (4, 4), graph.first, options=options("FullyConnected")).content


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (product(Case(), "CONV_2D"), Unsupported, "in integers"),
        (Floats().then("COS", SHAPE).content, Unsupported, "COS, which cannot be translated"),
        (
            Floats().then("ADD", SHAPE, 0, options=options("Add", fusedActivationFunction=2)).content,
            Unsupported,
            "ation 2",
        ),
        (computed_weights(), BadInput, r"FULLY_CONNECTED\) of the .tflite has no constant input 1"),
        (GRAPHS["flat product"](Floats((1, 2, 2, 2))).content, None, ""),
    ],
)
def test_what_is_not_known_is_refused(content: bytes, error: Any, message: str) -> None:
    graph = tflite.read(content)
    if error is None:  # what does not fit shows when it runs
        with pytest.raises(RuntimeError):
            translate_graph(graph)(torch.zeros(1, 2, 2, 2))
        return
    with pytest.raises(error, match=message):
        translate_graph(graph)
