"""fp16 for ONNX: weights are stored in half precision and computed with in single.

Processors without half-precision kernels (x86, older Arm) would otherwise convert around every operator. The file is
half as large, the arithmetic is fp32's, and the only error is the rounding of the weights. The manifest says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper, numpy_helper

#: Tensors with fewer elements stay fp32: they cost nothing and may hold tiny constants (epsilons).
_SMALL = 1024


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
        if array.size < _SMALL or np.abs(array).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [f"{name}.fp16"], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = list(out.graph.node)
    del out.graph.node[:]
    out.graph.node.extend([*casts, *nodes])
    return out
