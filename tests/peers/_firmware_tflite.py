"""Copies of a .tflite that stricter readers accept: they compute the same, but for a softmax that is left out."""

from __future__ import annotations

from pathlib import Path

_RESHAPE, _SOFTMAX = 22, 25


def without_softmax(source: Path, out: Path) -> bool:
    """Write a copy of `source` with a fixed batch of one, options in every RESHAPE, and without a SOFTMAX at its end.

    bakenn reads nothing else. Returns whether there was a softmax.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source.read_bytes(), 0))
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    for tensor in graph.tensors:
        tensor.shapeSignature = None
    last = graph.operators[-1]
    softmax = codes[last.opcodeIndex] == _SOFTMAX
    if softmax:
        graph.operators.pop()
        graph.outputs = list(last.inputs)
        for signature in model.signatureDefs or []:
            signature.outputs[0].tensorIndex = last.inputs[0]
    for operator in graph.operators:
        if codes[operator.opcodeIndex] == _RESHAPE and operator.builtinOptions is None:
            operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
            operator.builtinOptions = schema.ReshapeOptionsT()
            operator.builtinOptions.newShape = list(graph.tensors[operator.outputs[0]].shape)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    out.write_bytes(bytes(builder.Output()))
    return softmax
