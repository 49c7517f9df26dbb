"""Float weights of ONNX in fewer bytes: stored in half precision, or in int8, and computed with in single.

Processors without half-precision kernels (x86, older Arm) would otherwise convert around every operator. The file is
half as large, the arithmetic is fp32's, and the only error is the rounding of the weights. The manifest says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import onnx
from onnx import helper, numpy_helper

from edgekit.common.lazy import Floats, NDArray, np

#: Tensors with fewer elements stay fp32: they cost nothing and may hold tiny constants (epsilons).
SMALL = 1024
#: With fewer, int8 saves too little for what it loses.
_LARGE = 500_000
#: Operators whose second input is multiplied.
_MULTIPLYING = ("MatMul", "Gemm", "Conv", "ConvTranspose")


def store_in_half(model: onnx.ModelProto, keep: Callable[[str], bool] = lambda name: False) -> onnx.ModelProto:
    """A copy of `model` whose large fp32 initializers are fp16, each behind a Cast; those out of fp16's range stay.

    Args:
        keep: initializer name -> whether it stays as it is.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    casts = []
    for tensor in out.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or keep(tensor.name):
            continue
        array = numpy_helper.to_array(tensor)
        if array.size < SMALL or np.abs(array).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [f"{name}.fp16"], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = list(out.graph.node)
    del out.graph.node[:]
    out.graph.node.extend([*casts, *nodes])
    return out


def store_in_bytes(model: onnx.ModelProto, keep: Callable[[str], bool] = lambda name: False) -> onnx.ModelProto:
    """A copy of `model` whose large fp32 weights are int8, each behind a Cast and a product with scales.

    One scale for each place along an axis, namely the axis by which rounding loses least. Weights are what something is
    multiplied by. What is added stays: of whisper-base's positions a step of int8 moves the outputs by 5 %.

    Args:
        keep: as in `store_in_half`.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    nodes, added = list[onnx.NodeProto](), list[onnx.TensorProto]()
    factors = {node.input[1] for node in out.graph.node if node.op_type in _MULTIPLYING}
    for tensor in out.graph.initializer:
        small = len(tensor.dims) < 2 or np.prod(tensor.dims) < _LARGE or tensor.name not in factors
        if tensor.data_type != onnx.TensorProto.FLOAT or small or keep(tensor.name):
            continue
        array, name = numpy_helper.to_array(tensor), tensor.name
        steps, scales = in_bytes(array, range(array.ndim))
        tensor.CopyFrom(numpy_helper.from_array(steps, f"{name}.int8"))
        added.append(numpy_helper.from_array(scales, f"{name}.scales"))
        nodes.append(helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], name=f"{name}.cast", to=1))
        nodes.append(helper.make_node("Mul", [f"{name}.cast", f"{name}.scales"], [name], name=f"{name}.mul"))
    out.graph.initializer.extend(added)
    nodes += out.graph.node
    del out.graph.node[:]
    out.graph.node.extend(nodes)
    return out


def in_bytes(array: Floats, axes: Iterable[int]) -> tuple[NDArray[np.int8], Floats]:
    """Steps of the array's shape, and scales that spread over it: one for each place along the axis by which rounding
    loses least, of `axes`."""

    def quantize_along(axis: int) -> tuple[float, NDArray[np.int8], Floats]:
        scales = np.abs(array).max(axis=tuple(i for i in range(array.ndim) if i != axis), keepdims=True) / 127
        scales[scales == 0] = 1
        steps = np.rint(array / scales).astype(np.int8)
        return float(np.square(steps * scales - array).sum()), steps, scales.astype(np.float32)

    return min((quantize_along(axis) for axis in axes), key=lambda candidate: candidate[0])[1:]
