"""The products of a graph with constant weights, and how many rows they multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from edgekit.common.lazy import Floats, np
from edgekit.core import Feeds
from edgekit.quantization.samples import subsample_evenly
from edgekit.runtimes.onnxruntime.runner import evaluate

#: Weights per scale in the blockwise form, and per scale of activations, whose outliers cost their block. On 1,737
#: tokens of 60 clips whisper-base's decoder moves the next token by 0.0024 nats in blocks of 128, by 0.0006 in 64 and
#: by 0.0004 in 32; a step takes 0.399, 0.413 and 0.445 of fp32's time.
BLOCK = 64


@dataclass(frozen=True)
class Product:
    """A MatMul with a constant right side.

    Attributes:
        node: its name. shape: of its weights, (K, N). table: that it shares with a Gather, if any.
        tensor: of the weights. turned: whether it has them as [N, K].
    """

    node: str
    shape: tuple[int, int]
    table: str | None
    tensor: onnx.TensorProto
    turned: bool

    @property
    def weight(self) -> Floats:
        """The weights, float32 [K, N]: a copy each time, since those of all products are as large as the graph."""
        array: Floats = numpy_helper.to_array(self.tensor)
        return array.T if self.turned else array


def products(model: onnx.ModelProto) -> list[Product]:
    """All products with constant weights, in graph order."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {output: node for node in model.graph.node for output in node.output}
    tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather" and node.input[0] in tensors}
    found = []
    for node in model.graph.node:
        if node.op_type != "MatMul":
            continue
        right, table = node.input[1], None
        source = made.get(right)
        turned = right not in tensors and source is not None and source.op_type == "Transpose"
        tensor = tensors.get(source.input[0] if turned and source is not None else right)
        if tensor is None or len(tensor.dims) != 2 or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        inputs, outputs = tensor.dims[::-1] if turned else tensor.dims
        if turned and tensor.name in tables and inputs % BLOCK == 0:  # padded blocks would end up in the embedding
            table = tensor.name
        found.append(Product(node.name, (inputs, outputs), table, tensor, turned))
    return found


def rows_of(model: onnx.ModelProto, found: Sequence[Product], feeds: Sequence[Feeds]) -> dict[str, int]:
    """How many rows each product typically multiplies: the median over `feeds` (at most 9 of them, of which those of
    the same shapes are one)."""
    by_name = {node.name: node for node in model.graph.node}
    shapes = {p.node: f"{by_name[p.node].output[0]}/shape" for p in found}
    # The shapes alone: what all products give, of nine calls, would take a gigabyte.
    nodes = [helper.make_node("Shape", [by_name[node].output[0]], [shape]) for node, shape in shapes.items()]
    chosen = subsample_evenly(feeds, 9)
    kinds = [tuple(value.shape for value in feed.values()) for feed in chosen]
    alike = dict(zip(kinds, chosen, strict=True))
    ran = dict(zip(alike, evaluate(model, list(alike.values()), shapes.values(), nodes, hasty=True), strict=True))
    outs = [ran[kind] for kind in kinds]
    return {p.node: int(np.median([out[shapes[p.node]][:-1].prod() for out in outs])) for p in found}
