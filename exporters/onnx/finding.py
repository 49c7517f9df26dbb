"""The products of a graph with constant weights, and how many rows they multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import helper

from edgekit.common.lazy import Floats, np
from edgekit.core import Feeds
from edgekit.exporters.onnx.graph import constants
from edgekit.quantization.samples import subsample_evenly
from edgekit.runtimes.onnxruntime.runner import evaluate

#: Weights per scale in the blockwise form, and per scale of activations, whose outliers cost their block. On 1,737
#: tokens of 60 clips whisper-base's decoder moves the next token by 0.0024 nats in blocks of 128, by 0.0006 in 64 and
#: by 0.0004 in 32; a step takes 0.399, 0.413 and 0.445 of fp32's time.
BLOCK = 64


@dataclass(frozen=True)
class Product:
    """A MatMul with a constant right side: node name, weights [K, N], and the table it shares with a Gather, if any."""

    node: str
    weight: Floats
    table: str | None


def products(model: onnx.ModelProto) -> list[Product]:
    """All products with constant weights, in graph order."""
    arrays = constants(model)
    made = {output: node for node in model.graph.node for output in node.output}
    tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather" and node.input[0] in arrays}
    found = []
    for node in model.graph.node:
        if node.op_type != "MatMul":
            continue
        right, table = node.input[1], None
        source = made.get(right)
        if right in arrays:
            weight = arrays[right]
        elif source is not None and source.op_type == "Transpose" and source.input[0] in arrays:
            weight = arrays[source.input[0]].T
            whole = weight.shape[0] % BLOCK == 0  # padded blocks would end up in the embedding
            table = source.input[0] if source.input[0] in tables and whole else None
        else:
            continue
        if weight.ndim == 2 and weight.dtype == np.float32:
            found.append(Product(node.name, weight, table))
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
    ran = dict(zip(alike, evaluate(model, list(alike.values()), shapes.values(), nodes), strict=True))
    outs = [ran[kind] for kind in kinds]
    return {p.node: int(np.median([out[shapes[p.node]][:-1].prod() for out in outs])) for p in found}
