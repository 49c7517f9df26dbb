"""int8 for ONNX: which products are quantized, how, and why.

Three forms, all with int8 weights and activations quantized while running, so that nothing needs calibrated ranges:

``blockwise``
    `MatMulNBits` with 8 bits: a scale for every `BLOCK` weights of an output, activations per row and block. The most
    exact, and the fastest where few rows meet a large matrix (a decoder step reads each weight once: it is bound by
    memory). The token embedding and the output projection share one such matrix.
``dynamic``
    `DynamicQuantizeLinear` + `MatMulIntegerToFloat`: a scale for every output, one for all activations. The fastest
    where many rows meet a matrix (an encoder), but one outlier in the activations costs every other value its digits
    (Dettmers et al. 2022, arXiv:2208.07339) where equalization (`edgekit.quantization.equalization`) does not help.
``rows``
    The same, with every row of the activations divided by its largest value before and multiplied by it behind:
    outliers cost their own row. A few plain operators more: 4.7 ms for [750, 512] x [512, 2048] where dynamic takes
    3.9 and blockwise 8.9.

So: products with few rows are blockwise. The others are measured: each is quantized alone, and how far the part's
outputs move on real inputs decides. Each gets the first of dynamic, rows and blockwise with which all of them together
are near enough; one that is too far in any of them stays float (stored in half precision): a few layers, mostly the
first and the last, can make more of the error than all others together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from edgekit.core import Feeds
from edgekit.exporters.onnx import linear
from edgekit.exporters.onnx.graph import CONTRIB, constants, rebuild, watching
from edgekit.formats.onnx.runner import evaluate
from edgekit.numerics.parity import relative_error
from edgekit.quantization.choice import together
from edgekit.quantization.plan import LayerPlan
from edgekit.quantization.samples import spaced

#: Weights per scale in the blockwise form. 128 was fastest of 32, 64 and 128 and differs from 32 in the fourth digit.
BLOCK = 128
#: At most so many rows count as few.
FEW_ROWS = 16
#: A product that alone moves the part's outputs by more than this (relative root mean square) does not get the form;
#: and by how much all of them together may.
LIMITS = {"dynamic": 0.025, "rows": 0.03, "blockwise": 0.03}
AIM = 0.055
#: Limits of a part whose small errors others build on (an encoder that a decoder reads at every step): each decides
#: alone.
CAREFUL = {"dynamic": 0.005, "blockwise": 0.025}
#: Why a product is blockwise whatever else is true of it.
TIED = "shares its weights with the embedding"

Floats = NDArray[np.float32]


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


def choose(
    model: onnx.ModelProto, feeds: Sequence[Feeds], progress: Callable[[int, int], None], *, careful: bool = False
) -> tuple[onnx.ModelProto, dict[str, LayerPlan]]:
    """Node name -> its form, and why, from what the graph does with real inputs (`feeds`); and the graph for that, with
    inputs equalized where it helps."""
    found = products(model)
    rows = _rows(model, found, feeds) if found else {}
    choice: dict[str, LayerPlan] = {}
    many = list[str]()
    for product in found:
        if product.table:
            choice[product.node] = LayerPlan("blockwise", TIED)
        elif rows[product.node] <= FEW_ROWS:
            choice[product.node] = LayerPlan("blockwise", f"{rows[product.node]} row(s) a call: bound by memory")
        else:
            many.append(product.node)
    if not many:
        return model, choice
    model = model if careful else linear.equalized(model, many, feeds)
    reference = evaluate(model, feeds[:1])
    asked = set[str]()
    limits = (CAREFUL, float("inf")) if careful else (LIMITS, AIM)

    def moved(node: str, form: str) -> float:
        asked.add(node)
        progress(len(asked) - 1, len(many))
        return relative_error(evaluate(quantize(model, {node: form}), feeds[:1]), reference)

    return model, {**choice, **together(moved, many, *limits)}


def quantize(model: onnx.ModelProto, forms: Mapping[str, str]) -> onnx.ModelProto:
    """A copy of `model` in which the products in `forms` (node -> form) are int8, but for those of form "float"."""
    chosen = {p.node: p for p in products(model) if forms.get(p.node, "float") != "float"}
    shared = {p.table: p.node for p in chosen.values() if p.table and forms[p.node] == "blockwise"}
    nodes: list[onnx.NodeProto] = []
    added: dict[str, NDArray[Any]] = {}
    quantized_inputs: set[str] = set()
    for node in model.graph.node:
        if node.name in chosen:
            product = chosen[node.name]
            if forms[node.name] == "blockwise":
                nodes += _blockwise(node, product.weight, added)
            else:
                form = _rows_alike if forms[node.name] == "rows" else _dynamic
                nodes += form(node, product.weight, added, quantized_inputs)
        elif node.op_type == "Gather" and node.input[0] in shared:
            nodes += _lookup(node, shared[node.input[0]], added, chosen[shared[node.input[0]]].weight)
        else:
            nodes.append(node)
    return linear.for_kernels(rebuild(model, nodes, added, contrib=True))


def _blockwise(node: onnx.NodeProto, weight: Floats, added: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    inputs, outputs = weight.shape
    values, scales = blockwise_values(weight)
    name = node.name
    added[f"{name}.int8"], added[f"{name}.scales"] = values, scales
    # accuracy_level 4: multiply in int8, which is what makes it fast; lower levels decompress to float.
    return [
        helper.make_node(
            "MatMulNBits",
            [node.input[0], f"{name}.int8", f"{name}.scales"],
            list(node.output),
            name=name,
            domain=CONTRIB,
            K=inputs,
            N=outputs,
            bits=8,
            block_size=BLOCK,
            accuracy_level=4,
        )
    ]


def blockwise_values(weight: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Weights [K, N] as uint8 [N, ceil(K / BLOCK), BLOCK] around 128, and scales float32 [N, ceil(K / BLOCK)]."""
    inputs, outputs = weight.shape
    blocks = -(-inputs // BLOCK)
    padded = np.zeros((outputs, blocks * BLOCK), np.float32)
    padded[:, :inputs] = weight.T
    grouped = padded.reshape(outputs, blocks, BLOCK)
    scales = np.abs(grouped).max(axis=-1) / 127
    scales[scales == 0] = 1
    values = np.rint(grouped / scales[..., None]).clip(-127, 127) + 128
    return values.astype(np.uint8), scales.astype(np.float32)


def _lookup(node: onnx.NodeProto, owner: str, added: dict[str, NDArray[Any]], weight: Floats) -> list[onnx.NodeProto]:
    """An embedding look-up in the projection's own blockwise matrix, so that it is stored once."""
    name, ids, out = node.name, node.input[1], node.output[0]
    width = weight.shape[0]
    added[f"{name}.middle"] = np.array(128, np.float32)
    added[f"{name}.last"] = np.array([-1], np.int64)
    added[f"{name}.shape"] = np.array([0, 0, width], np.int64)
    return [
        helper.make_node("Gather", [f"{owner}.int8", ids], [f"{name}.rows"], name=name, axis=0),
        helper.make_node("Cast", [f"{name}.rows"], [f"{name}.float"], name=f"{name}.cast", to=onnx.TensorProto.FLOAT),
        helper.make_node("Sub", [f"{name}.float", f"{name}.middle"], [f"{name}.centred"], name=f"{name}.sub"),
        helper.make_node("Gather", [f"{owner}.scales", ids], [f"{name}.scale"], name=f"{name}.scales", axis=0),
        helper.make_node("Unsqueeze", [f"{name}.scale", f"{name}.last"], [f"{name}.scale1"], name=f"{name}.unsqueeze"),
        helper.make_node("Mul", [f"{name}.centred", f"{name}.scale1"], [f"{name}.blocks"], name=f"{name}.mul"),
        helper.make_node("Reshape", [f"{name}.blocks", f"{name}.shape"], [out], name=f"{name}.reshape"),
    ]


def _rows_alike(
    node: onnx.NodeProto, weight: Floats, added: dict[str, NDArray[Any]], done: set[str]
) -> list[onnx.NodeProto]:
    """The dynamic form between a division of every row by its largest value and a multiplication by it."""
    x, out, name, nodes = node.input[0], node.output[0], node.name, list[onnx.NodeProto]()
    added["last"], added["tiny"] = np.array([-1], np.int64), np.array(1e-30, np.float32)
    if f"{x}.peaks" not in done:
        done.add(f"{x}.peaks")
        nodes = [
            helper.make_node("Abs", [x], [f"{x}.sizes"], name=f"{x}.sizes"),
            helper.make_node("ReduceMax", [f"{x}.sizes", "last"], [f"{x}.peak"], name=f"{x}.peak", keepdims=1),
            helper.make_node("Max", [f"{x}.peak", "tiny"], [f"{x}.peaks"], name=f"{x}.peaks"),
            helper.make_node("Div", [x, f"{x}.peaks"], [f"{x}.alike"], name=f"{x}.alike"),
        ]
    inner = helper.make_node("MatMul", [f"{x}.alike", node.input[1]], [f"{name}.alike"], name=name)
    back = helper.make_node("Mul", [f"{name}.alike", f"{x}.peaks"], [out], name=f"{name}.back")
    return [*nodes, *_dynamic(inner, weight, added, done), back]


def _dynamic(
    node: onnx.NodeProto, weight: Floats, added: dict[str, NDArray[Any]], done: set[str]
) -> list[onnx.NodeProto]:
    scales = np.abs(weight).max(axis=0) / 127
    scales[scales == 0] = 1
    name, x = node.name, node.input[0]
    added[f"{name}.int8"] = np.rint(weight / scales).clip(-127, 127).astype(np.int8)
    added[f"{name}.scales"] = scales.astype(np.float32)
    added[f"{name}.zeros"] = np.zeros(weight.shape[1], np.int8)
    nodes = []
    if x not in done:  # several products of one input quantize it once
        done.add(x)
        parts = [f"{x}.uint8", f"{x}.scale", f"{x}.zero"]
        nodes.append(helper.make_node("DynamicQuantizeLinear", [x], parts, name=f"{x}.quantize"))
    operands = [f"{x}.uint8", f"{name}.int8", f"{x}.scale", f"{name}.scales", f"{x}.zero", f"{name}.zeros"]
    nodes.append(helper.make_node("MatMulIntegerToFloat", operands, list(node.output), name=name, domain=CONTRIB))
    return nodes


def _rows(model: onnx.ModelProto, found: Sequence[Product], feeds: Sequence[Feeds]) -> dict[str, int]:
    """How many rows each product typically multiplies: the median over `feeds` (at most 9 of them)."""
    by_name = {node.name: node for node in model.graph.node}
    names = {p.node: by_name[p.node].output[0] for p in found}
    outs = evaluate(watching(model, names.values()), spaced(feeds, 9))
    return {p.node: int(np.median([out[names[p.node]].size // p.weight.shape[1] for out in outs])) for p in found}
