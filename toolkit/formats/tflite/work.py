"""What operators of a .tflite multiply and hold: for shares of a network, which numbers of operators say nothing of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.formats.tflite.reader import Operator, Subgraph


@dataclass(frozen=True)
class Work:
    """Of one call: multiplications of values that are added up then. weights: bytes of the operator's constants."""

    multiplications: int
    weights: int


def work_of(graph: Subgraph, operator: Operator) -> Work:
    """What `operator` of `graph` multiplies and holds; a recurrent one as many times as its input has steps."""
    ins = [graph.tensors[index] for index in operator.inputs if index >= 0]
    held = sum(tensor.data.nbytes for tensor in ins if tensor.data is not None)
    return Work(_multiplications(graph, operator), held)


def sum_work(graph: Subgraph, operators: Iterable[Operator]) -> Work:
    """The work of several operators of `graph`; what two of them hold together counts twice."""
    each = [work_of(graph, operator) for operator in operators]
    return Work(sum(one.multiplications for one in each), sum(one.weights for one in each))


def _multiplications(graph: Subgraph, operator: Operator) -> int:
    ins = [graph.tensors[index].shape for index in operator.inputs if index >= 0]
    out = math.prod(graph.tensors[operator.outputs[0]].shape) if operator.outputs else 0
    if operator.name in ("CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D"):
        outputs = ins[1][0] if operator.name == "CONV_2D" else ins[1][-1]
        return out * math.prod(ins[1]) // max(outputs, 1)
    if operator.name == "FULLY_CONNECTED":
        return out * ins[1][-1]
    if operator.name == "TRANSPOSE_CONV":
        return math.prod(ins[2]) * math.prod(ins[1]) // max(ins[1][-1], 1)
    if operator.name == "BATCH_MATMUL":
        # Both have the summed axis, whichever is turned: rows * sum * sum * columns over the product's rows * columns.
        rows = math.prod(ins[0][-2:]) * math.prod(ins[1][-2:])
        last = math.prod(graph.tensors[operator.outputs[0]].shape[-2:])
        return out * math.isqrt(rows // max(last, 1))
    if operator.name in ("SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"):
        steps = ins[0][-2] if len(ins[0]) > 2 else 1
        return steps * sum(
            math.prod(graph.tensors[index].shape)
            for index in operator.inputs
            if index >= 0 and graph.tensors[index].data is not None and len(graph.tensors[index].shape) > 1
        )
    return 0
