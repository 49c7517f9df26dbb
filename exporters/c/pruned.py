"""The .tflite that C is made of, without the channels that change nothing (`edgekit.exporters.c.lowering.prune`).

Other compilers for the same chips do not take them out.
"""

from __future__ import annotations

from edgekit.common.lazy import np
from edgekit.exporters.c.lowering.prune import prune
from edgekit.formats import tflite
from edgekit.formats.tflite import Subgraph


def prune_file(content: bytes) -> bytes:
    """A .tflite with the same outputs and fewer channels; `content` itself where all are needed.

    Args:
        content: a file that `edgekit.exporters.c.lowering.graph.lower` takes.
    """
    while (small := prune(graph := tflite.read(content))) is not graph:
        content = _rewrite(content, small.subgraphs[0])
    return content


def _rewrite(content: bytes, small: Subgraph) -> bytes:
    """`content` with the tensors of `small`, whose operators are the same ones in the same order."""
    from ai_edge_litert import schema_py_generated as schema

    from edgekit.exporters.litert import file

    model = file.parse(content)
    graph = model.subgraphs[0]
    codes = {name.lower(): code for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
    for place, tensor in enumerate(small.tensors):
        added = place >= len(graph.tensors)
        if added:
            graph.tensors.append(schema.TensorT())
            held = graph.tensors[place]
            held.name, held.type = tensor.name, codes[tensor.dtype]
            if tensor.quantization is not None:
                held.quantization = schema.QuantizationParametersT()
                held.quantization.scale = np.array(tensor.quantization.scale, np.float32)
                held.quantization.zeroPoint = np.array(tensor.quantization.zero_point, np.int64)
                held.quantization.quantizedDimension = tensor.quantization.axis
            model.buffers.append(schema.BufferT())
            held.buffer = len(model.buffers) - 1
            model.buffers[-1].data = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
        if added or file.shape_of(graph.tensors[place]) != tensor.shape:
            graph.tensors[place].shape, graph.tensors[place].shapeSignature = np.array(tensor.shape, np.int32), None
    for operator, made in zip(graph.operators, small.operators, strict=True):
        operator.inputs = np.array(made.inputs, np.int32)
        if made.name == "RESHAPE" and operator.builtinOptions is not None:
            operator.builtinOptions.newShape = np.array(small.tensors[made.outputs[0]].shape, np.int32)
    return file.pack(model)
