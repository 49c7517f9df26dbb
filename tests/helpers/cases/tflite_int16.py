"""Small .tflite files with int16 activations and int8 weights: those that `_tflite_models` does not make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.tflite_models import MAKERS as INT8
from helpers.cases.tflite_models import Builder, Case, Shape

WIDE = "FULLY_CONNECTED, sums above 32 bits"


def unary(case: Case, name: str) -> bytes:
    """LOGISTIC, TANH, RELU and RELU6; every fourth input has the scale 2^-12 or 2^-11, which is prepared otherwise."""
    b = Builder("int16")
    scale = 2.0 ** -(11 + case.seed % 2) if case.seed % 4 < 2 else 2.0 ** float(case.rng.uniform(-20, -4))
    x = b.tensor(case.image, scale=scale)
    scales = {"RELU": scale * float(case.rng.uniform(0.1, 3)), "RELU6": scale}
    y = b.tensor(case.image, scale=scales.get(name, 1 / 32768))
    b.add(name, [x], [y])
    return b.finish([x], [y])


def quantize(case: Case, name: str) -> bytes:
    """To int16 from int8, back, or to another scale."""
    b = Builder("int16")
    source, output = (("int8", "int16"), ("int16", "int8"), ("int16", "int16"))[case.seed % 3]
    scale = float(case.rng.uniform(0.01, 0.2))
    finer = {"int8": 1, "int16": 256}
    x = b.tensor(case.image, source, scale / finer[source], case.zero)
    y = b.tensor(case.image, output, scale * float(case.rng.uniform(0.3, 3)) / finer[output], 4)
    b.add(name, [x], [y], schema.QuantizeOptionsT())
    return b.finish([x], [y])


def padv2(case: Case, name: str = "PADV2") -> bytes:
    b = Builder("int16")
    padding = np.array([[0, 0], [1, 2], [0, 3], [2, 0]], np.int32)
    x = b.tensor(case.image)
    y = b.tensor(tuple(int(size + sum(pair)) for size, pair in zip(case.image, padding, strict=True)))
    value = b.tensor((1,), data=np.array([case.seed - 5000], np.int16))
    b.add(name, [x, b.constant(padding), value], [y], schema.PadV2OptionsT())
    return b.finish([x], [y])


def wide_dot(case: Case, name: str = "") -> bytes:
    """So many products of the largest values that their sum needs more than 32 bits."""
    b = Builder("int16")
    inputs = 1500 + case.seed % 100
    x = b.tensor((2, inputs), scale=0.0001)
    weights = np.full((3, inputs), -128, np.int8)
    weights[1] = 127
    weights[2] = case.rng.integers(-128, 128, inputs)
    ones = [x, b.tensor(weights.shape, scale=0.01, data=weights)]
    ones.append(b.tensor((3,), scale=1e-6, data=np.array([1 << 40, -5, 1 << 35])))
    y = b.tensor((2, 3), scale=1.0 if case.seed % 2 else 0.001)
    b.add("FULLY_CONNECTED", ones, [y], schema.FullyConnectedOptionsT())
    return b.finish([x], [y])


def stream() -> bytes:
    """int16 [1, 1, 4] -> the last three inputs, of which two are kept from call to call: int16 [1, 3, 4]."""
    b = Builder("int16")
    x, kept = b.tensor((1, 1, 4)), b.tensor((1, 2, 4))
    b.add("CALL_ONCE", [], [], _called(1))
    handle = _handle(b)
    b.add("READ_VARIABLE", [handle], [kept], schema.ReadVariableOptionsT())
    window, options = b.tensor((1, 3, 4)), schema.ConcatenationOptionsT()
    options.axis = 1
    b.add("CONCATENATION", [kept, x], [window], options)
    later = b.tensor((1, 2, 4))
    bounds = (np.array([0, 1, 0], np.int32), np.array([1, 3, 4], np.int32), np.array([1, 1, 1], np.int32))
    b.add("STRIDED_SLICE", [window, *map(b.constant, bounds)], [later], schema.StridedSliceOptionsT())
    b.add("ASSIGN_VARIABLE", [handle, later], [], schema.AssignVariableOptionsT())
    main, b.graph = b.graph, schema.SubGraphT()
    b.graph.tensors, b.graph.operators = [], []
    b.graph.inputs = b.graph.outputs = np.array([], np.int32)
    first = b.tensor((1, 2, 4), data=np.arange(-4, 4, dtype=np.int16).reshape(1, 2, 4) * 5000)
    b.add("ASSIGN_VARIABLE", [_handle(b), first], [], schema.AssignVariableOptionsT())
    b.model.subgraphs.append(b.graph)
    b.graph = main
    return b.finish([x], [window])


def _called(subgraph: int) -> schema.CallOnceOptionsT:
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = subgraph
    return options


def _handle(b: Builder) -> int:
    tensor, options = b.tensor((), "resource", None), schema.VarHandleOptionsT()
    options.container, options.sharedName = "", "kept"
    b.add("VAR_HANDLE", [], [tensor], options)
    return tensor


def network(seed: int = 0, last: str = "SOFTMAX") -> bytes:
    """float32 [1, 12, 10, 2] -> a convolution, a depthwise one, an average, 5 outputs and `last`: float32 [1, 5]."""
    b, rng = Builder("int16"), np.random.default_rng(seed)
    given = b.tensor((1, 12, 10, 2), "float32", None)
    x = b.tensor((1, 12, 10, 2), scale=4 / 32768)
    b.add("QUANTIZE", [given], [x], schema.QuantizeOptionsT())
    convolution = schema.Conv2DOptionsT()
    convolution.strideH, convolution.strideW, convolution.fusedActivationFunction = 2, 1, 1
    y = _product(b, rng, "CONV_2D", x, (8, 3, 3, 2), (1, 6, 10, 8), convolution)
    depthwise = schema.DepthwiseConv2DOptionsT()
    depthwise.strideH, depthwise.strideW, depthwise.depthMultiplier = 1, 2, 1
    depthwise.fusedActivationFunction = 3
    y = _product(b, rng, "DEPTHWISE_CONV_2D", y, (1, 3, 3, 8), (1, 6, 5, 8), depthwise)
    pool, mean = schema.Pool2DOptionsT(), b.tensor((1, 1, 1, 8), scale=_scale(b, y))
    pool.padding, pool.strideH, pool.strideW, pool.filterHeight, pool.filterWidth = 1, 6, 5, 6, 5
    b.add("AVERAGE_POOL_2D", [y], [mean], pool)
    flat, shape = b.tensor((1, 8), scale=_scale(b, y)), schema.ReshapeOptionsT()
    shape.newShape = np.array([1, 8], np.int32)
    b.add("RESHAPE", [mean, b.constant(shape.newShape)], [flat], shape)
    y = _product(b, rng, "FULLY_CONNECTED", flat, (5, 8), (1, 5), schema.FullyConnectedOptionsT())
    chances, result = b.tensor((1, 5), scale=1 / 32768), b.tensor((1, 5), "float32", None)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    b.add(last, [y], [chances], softmax if last == "SOFTMAX" else None)
    b.add("DEQUANTIZE", [chances], [result], schema.DequantizeOptionsT())
    return b.finish([given], [result])


def _scale(b: Builder, tensor: int) -> float:
    return float(b.graph.tensors[tensor].quantization.scale[0])


def _product(
    b: Builder, rng: np.random.Generator, name: str, x: int, weights: Shape, output: Shape, options: object
) -> int:
    """A layer with random weights, its output scaled so that values are around one."""
    values = rng.integers(-127, 128, weights).astype(np.int8)
    outputs = output[-1]
    terms = values.size // outputs
    scale = float(2 / (127 * np.sqrt(terms)))
    scales = [scale] * outputs if name != "FULLY_CONNECTED" else [scale]
    axis = 3 if name == "DEPTHWISE_CONV_2D" else 0
    bias = rng.integers(-20000, 20000, outputs) * 100
    tensors = [x, b.tensor(weights, scale=scales, data=values, axis=axis)]
    tensors.append(b.tensor((outputs,), scale=[_scale(b, x) * one for one in scales], data=bias))
    y = b.tensor(output, scale=6 / 32768)
    b.add(name, tensors, [y], options)
    return y


#: Operator -> what makes a network of it from a case of the dtype int16.
MAKERS: dict[str, Callable[[Case, str], bytes]] = {
    **INT8,
    **dict.fromkeys(("LOGISTIC", "TANH", "RELU", "RELU6"), unary),
    "QUANTIZE": quantize,
    "PADV2": padv2,
    WIDE: wide_dot,
}
