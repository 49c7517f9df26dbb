"""Small .tflite files made on the spot: one operator with given shapes and random weights, or a short chain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9, "resource": 13}
Shape = tuple[int, ...]


class Builder:
    """A .tflite in the making; tensors and operators are added in order. `dtype` is that of its activations: int8, or
    int16, which is symmetric (every zero point becomes 0)."""

    def __init__(self, dtype: str = "int8") -> None:
        self.dtype = dtype
        self.model = schema.ModelT()
        self.model.version, self.model.buffers, self.model.operatorCodes = 3, [schema.BufferT()], []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Shape,
        dtype: str | None = None,
        scale: float | Sequence[float] | NDArray[Any] | None = 0.05,
        zero: int = 0,
        data: NDArray[Any] | None = None,
        axis: int = 0,
    ) -> int:
        one = schema.TensorT()
        dtype = dtype or (self.dtype if data is None else data.dtype.name)
        zero = 0 if dtype == "int16" else zero
        one.shape, one.type, one.name = np.array(shape, np.int32), TYPES[dtype], f"t{len(self.graph.tensors)}"
        if scale is not None:
            one.quantization = schema.QuantizationParametersT()
            scales = np.atleast_1d(np.array(scale, np.float32))
            one.quantization.scale = scales
            one.quantization.zeroPoint = np.full(len(scales), zero, np.int64)
            one.quantization.quantizedDimension = axis
        one.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            one.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(one)
        return len(self.graph.tensors) - 1

    def constant(self, data: NDArray[Any]) -> int:
        return self.tensor(data.shape, data.dtype.name, None, data=data)

    def add(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self.model.operatorCodes.append(code)
        one = schema.OperatorT()
        one.opcodeIndex = len(self.model.operatorCodes) - 1
        one.inputs, one.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            one.builtinOptions = options
            one.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        self.graph.operators.append(one)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        packer = flatbuffers.Builder(1024)
        packer.Finish(self.model.Pack(packer), b"TFL3")
        return bytes(packer.Output())


@dataclass(frozen=True)
class Case:
    """Numbers that decide a network; what a kernel does not use is left at its default."""

    seed: int = 0
    height: int = 6
    width: int = 5
    channels: int = 4
    outputs: int = 3
    kernel: Shape = (3, 3)
    stride: Shape = (1, 1)
    dilation: Shape = (1, 1)
    same: bool = True
    activation: int = 0
    multiplier: int = 1
    zero: int = -3
    per_channel: bool = True
    dtype: str = "int8"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def size(self, axis: int) -> int:
        size, kernel = (self.height, self.width)[axis], (self.kernel[axis] - 1) * self.dilation[axis] + 1
        return math.ceil(size / self.stride[axis]) if self.same else math.ceil((size - kernel + 1) / self.stride[axis])

    @property
    def finer(self) -> int:
        """How many steps of this dtype make one of int8."""
        return 256 if self.dtype == "int16" else 1

    def values(self, shape: Shape) -> NDArray[Any]:
        info = np.iinfo(self.dtype)
        return self.rng.integers(info.min, info.max + 1, shape).astype(self.dtype)

    @property
    def image(self) -> Shape:
        return (1, self.height, self.width, self.channels)


def product(case: Case, name: str) -> bytes:
    """CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED with random weights, scales and biases."""
    rng, b = case.rng, Builder(case.dtype)
    outputs = case.channels * case.multiplier if name == "DEPTHWISE_CONV_2D" else case.outputs
    shapes: dict[str, tuple[Shape, Shape, int]] = {
        "CONV_2D": (case.image, (outputs, *case.kernel, case.channels), 0),
        "DEPTHWISE_CONV_2D": (case.image, (1, *case.kernel, outputs), 3),
        "FULLY_CONNECTED": ((case.height, case.channels), (outputs, case.channels), 0),
    }
    source, weights, axis = shapes[name]
    values = rng.integers(-127, 128, weights).astype(np.int8)
    if case.seed % 5 == 0:  # the extremes, which overflow what is added too early
        values = rng.choice(np.array([-128, 127], np.int8), weights)
    scales = rng.uniform(0.001, 0.02, outputs if case.per_channel else 1)
    terms = values.size // outputs
    scale = float(case.extra.get("scale", 0.05 * 0.01 * math.sqrt(terms) * 50 / 30 * rng.uniform(0.3, 2)))
    x = b.tensor(source, scale=0.05 / case.finer, zero=case.zero)
    w = b.tensor(weights, scale=scales, data=values, axis=axis)
    bias = rng.integers(-20000, 20000, outputs) * case.finer
    inputs = [x, w]
    if kind := _bias(case, name):
        inputs.append(b.tensor((outputs,), kind, [0.05 / case.finer * s for s in scales], data=bias.astype(kind)))
    out = (1, case.size(0), case.size(1), outputs) if name != "FULLY_CONNECTED" else (case.height, outputs)
    y = b.tensor(out, scale=scale / case.finer, zero=int(rng.integers(-128, 100)))
    b.add(name, inputs, [y], _options(case, name))
    return b.finish([x], [y])


def torn() -> bytes:
    """An operator that accelerators lack, between two convolutions."""
    rng, b = np.random.default_rng(0), Builder()

    def conv(source: int, target: int) -> None:
        values = rng.integers(-127, 128, (16, 1, 1, 16)).astype(np.int8)
        w = b.tensor(values.shape, scale=np.full(16, 0.01), data=values)
        bias = b.tensor((16,), "int32", np.full(16, 5e-4), data=np.zeros(16, np.int32))
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        b.add("CONV_2D", [source, w, bias], [target], options)

    x, y, z, out = (b.tensor((1, 8, 8, 16), scale=0.05, zero=0) for _ in range(4))
    conv(x, y)
    places = b.tensor((1, 8, 8, 3), "int32", data=np.stack(np.indices((1, 8, 8)), -1).astype(np.int32))
    b.model.subgraphs[0].tensors[z].name = "gathered"
    b.add("GATHER_ND", [y, places], [z], schema.GatherNdOptionsT())
    conv(z, out)
    return b.finish([x], [out])


def _bias(case: Case, name: str) -> str:
    """The dtype of a product's bias, "" where it has none."""
    if case.dtype == "int8":
        return "int32"
    return ("int64", "", "int64" if name == "DEPTHWISE_CONV_2D" else "int32")[case.seed % 3]


def _options(case: Case, name: str) -> Any:
    if name == "FULLY_CONNECTED":
        full = schema.FullyConnectedOptionsT()
        full.fusedActivationFunction = case.activation
        return full
    one = schema.Conv2DOptionsT() if name == "CONV_2D" else schema.DepthwiseConv2DOptionsT()
    one.padding, one.fusedActivationFunction = 0 if case.same else 1, case.activation
    one.strideH, one.strideW = case.stride
    one.dilationHFactor, one.dilationWFactor = case.dilation
    if name == "DEPTHWISE_CONV_2D":
        one.depthMultiplier = case.multiplier
    return one


def pool(case: Case, name: str) -> bytes:
    b = Builder(case.dtype)
    x = b.tensor(case.image, scale=0.1, zero=case.zero)
    y = b.tensor((1, case.size(0), case.size(1), case.channels), scale=0.1, zero=case.zero)
    options = schema.Pool2DOptionsT()
    options.padding, options.fusedActivationFunction = 0 if case.same else 1, case.activation
    options.strideH, options.strideW = case.stride
    options.filterHeight, options.filterWidth = case.kernel
    b.add(name, [x], [y], options)
    return b.finish([x], [y])


def mean(case: Case, name: str = "MEAN") -> bytes:
    b = Builder(case.dtype)
    x = b.tensor(case.image, scale=0.1, zero=case.zero)
    y = b.tensor((1, 1, 1, case.channels), scale=float(case.rng.uniform(0.03, 0.2)), zero=5)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    b.add(name, [x, b.constant(np.array([1, 2], np.int32))], [y], options)
    return b.finish([x], [y])


def binary(case: Case, name: str) -> bytes:
    """ADD, SUB or MUL of two computed operands, a constant one, or one that is broadcast."""
    rng, b = case.rng, Builder(case.dtype)
    form = case.seed % 3
    other = case.image if form < 2 else (1, 1, 1, case.channels)
    data = case.values(other) if form else None
    x = b.tensor(case.image, scale=float(rng.uniform(0.01, 0.1)) / case.finer, zero=case.zero)
    z = b.tensor(other, scale=float(rng.uniform(0.01, 0.1)) / case.finer, zero=7, data=data)
    scale = float(rng.uniform(0.02, 0.2)) / case.finer * (3 if name == "MUL" else 1)
    y = b.tensor(case.image, scale=scale, zero=int(rng.integers(-100, 100)))
    options = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}[name]()
    options.fusedActivationFunction = case.activation
    b.add(name, [x, z], [y], options)
    return b.finish([x, z] if data is None else [x], [y])


def softmax(case: Case, name: str = "SOFTMAX") -> bytes:
    b = Builder(case.dtype)
    shape = (case.height, case.channels)
    x = b.tensor(shape, scale=float(case.rng.uniform(0.02, 0.5)) / case.finer, zero=case.zero)
    y = b.tensor(shape, scale=1 / 256 if case.dtype == "int8" else 1 / 32768, zero=-128)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    b.add(name, [x], [y], options)
    return b.finish([x], [y])


def unary(case: Case, name: str) -> bytes:
    b = Builder()
    x = b.tensor(case.image, scale=float(case.rng.uniform(0.01, 0.2)), zero=case.zero)
    if name == "RELU6":  # the specification clamps and does not rescale
        y = b.tensor(case.image, scale=float(case.rng.uniform(0.01, 0.2)), zero=case.zero)
        b.add(name, [x], [y])
        return b.finish([x], [y])
    scale, zero = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(name, (float(case.rng.uniform(0.01, 0.2)), 4))
    dtype = "uint8" if name == "QUANTIZE" and case.seed % 2 else "int8"
    y = b.tensor(case.image, dtype, scale=scale, zero=zero + 128 * (dtype == "uint8"))
    b.add(name, [x], [y], schema.QuantizeOptionsT() if name == "QUANTIZE" else None)
    return b.finish([x], [y])


def edges(case: Case, name: str = "") -> bytes:
    """float32 -> int8 -> float32."""
    b = Builder(case.dtype)
    x, y = b.tensor(case.image, "float32", None), b.tensor(case.image, scale=0.03 / case.finer, zero=case.zero)
    z = b.tensor(case.image, "float32", None)
    b.add("QUANTIZE", [x], [y], schema.QuantizeOptionsT())
    b.add("DEQUANTIZE", [y], [z], schema.DequantizeOptionsT())
    return b.finish([x], [z])


def moves(case: Case, name: str) -> bytes:
    """The operators that compute nothing."""
    b = Builder(case.dtype)
    x = b.tensor(case.image, scale=0.1, zero=case.zero)

    def same(shape: Shape) -> int:
        return b.tensor(shape, scale=0.1, zero=case.zero)

    outputs = _MOVES[name](b, case, x, same)
    return b.finish([x], outputs)


def _concatenation(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    axis = 1 + case.seed % 3
    shape = list(case.image)
    shape[axis] *= 2
    y, options = same(tuple(shape)), schema.ConcatenationOptionsT()
    options.axis = axis
    b.add("CONCATENATION", [x, x], [y], options)
    return [y]


def _pad(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    padding = np.array([[0, 0], [1, 2], [0, case.seed % 3], [0, 1]], np.int32)
    y = same(tuple(int(size + sum(pair)) for size, pair in zip(case.image, padding, strict=True)))
    b.add("PAD", [x, b.constant(padding)], [y], schema.PadOptionsT())
    return [y]


def _strided_slice(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    begin, step = np.array([0, case.seed % 2, 1, 0], np.int32), np.array([1, 1 + case.seed % 2, 2, 1], np.int32)
    end = np.array(case.image, np.int32)
    shape = tuple(len(range(a, e, s)) for a, e, s in zip(begin, end, step, strict=True))
    y = same(shape)
    b.add("STRIDED_SLICE", [x, *map(b.constant, (begin, end, step))], [y], schema.StridedSliceOptionsT())
    return [y]


def _split(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    """Into single columns, put together again in reverse."""
    options = schema.SplitOptionsT()
    options.numSplits = case.width
    parts = [same((1, case.height, 1, case.channels)) for _ in range(case.width)]
    b.add("SPLIT", [b.constant(np.array(2, np.int32)), x], parts, options)
    return parts[:4]


def _split_v(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    options = schema.SplitVOptionsT()
    options.numSplits = 2
    parts = [same((1, case.height, 1, case.channels)), same((1, case.height, case.width - 1, case.channels))]
    sizes = b.constant(np.array([1, case.width - 1], np.int32))
    b.add("SPLIT_V", [x, sizes, b.constant(np.array(2, np.int32))], parts, options)
    return parts


def _transpose(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    order = case.rng.permutation(4)
    y = same(tuple(int(case.image[axis]) for axis in order))
    b.add("TRANSPOSE", [x, b.constant(order.astype(np.int32))], [y], schema.TransposeOptionsT())
    return [y]


def _reshape(b: Builder, case: Case, x: int, same: Callable[[Shape], int]) -> list[int]:
    """A reshape between two reshapes; the last feeds a copy so that something is computed."""
    flat, y = same((1, math.prod(case.image))), same((1, 2 * math.prod(case.image)))
    shape = schema.ReshapeOptionsT()
    shape.newShape = np.array([1, math.prod(case.image)], np.int32)
    b.add("RESHAPE", [x, b.constant(shape.newShape)], [flat], shape)
    options = schema.ConcatenationOptionsT()
    options.axis = 1
    b.add("CONCATENATION", [flat, flat], [y], options)
    return [y]


_MOVES: dict[str, Callable[[Builder, Case, int, Callable[[Shape], int]], list[int]]] = {
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}

#: Operator -> what makes a network of it.
MAKERS: dict[str, Callable[[Case, str], bytes]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), product),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), pool),
    **dict.fromkeys(("ADD", "SUB", "MUL"), binary),
    **dict.fromkeys(("LOGISTIC", "TANH", "RELU", "RELU6", "QUANTIZE"), unary),
    **dict.fromkeys(_MOVES, moves),
    "MEAN": mean,
    "SOFTMAX": softmax,
    "DEQUANTIZE": edges,
}
