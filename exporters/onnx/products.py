"""int8 for ONNX: which products are quantized, how, and why.

Three forms, all with int8 weights and activations quantized while running, so that nothing needs calibrated ranges:

``blockwise``
    `MatMulNBits` with 8 bits: a scale for every `BLOCK` weights of an output, activations per row and block. The most
    exact, and the fastest where few rows meet a large matrix (a decoder step reads each weight once: it is bound by
    memory). The token embedding and the output projection share one such matrix.
``dynamic``
    `DynamicQuantizeLinear` + `MatMulIntegerToFloat`: a scale for every output, one for all activations. The fastest
    where many rows meet a matrix (an encoder), but one outlier in the activations costs every other value its digits
    (Dettmers et al. 2022, arXiv:2208.07339), where equalization does not help.
``rows``
    The same with a scale for every row of the activations, so that outliers cost their own row. The step for 0 is the
    product's, by its recorded inputs. A few plain operators more: 2.4 ms for [750, 2048] x [2048, 512] where dynamic
    takes 1.9 and blockwise 10.
``four-bit``
    blockwise with 4 bits and a scale for every `SMALL_BLOCK` weights, which are stored in half: half the bytes.
``int16``
    rows, with activations of 16 bits: two bytes of a value are two rows of one product (`forms.int16`). For what shares
    its weights with an embedding, and for what rows move too far, where a runtime's blocks are slow.
``blockwise-5.25``, ``dynamic-6``, ``table-4.5``, ...
    One of the others, computed as it is; but steps are so wide that they take that many bits a weight in a packed file
    (`edgekit.common.packed`). ``table``: blockwise, for an embedding that is the output projection, too. All its
    outputs have one step, because what they make is compared with one another.

Where a few channels of an input would make the steps of all others wide, they are multiplied in float beside the rest
(`edgekit.quantization.weights.outliers`), whose weights have a scale for every output.

Where many rows meet a matrix, the residual stream is rotated first (`residual`), and weights are rounded by GPTQ
(`edgekit.quantization.weights.gptq`), as they are for four bits.

So: products with few rows are blockwise. The others are measured: each is quantized alone, and how far the part's
outputs move on real inputs decides. Each gets the cheapest form with which all of them together are near enough. Where
they are not, some go to rows or stay float (stored in half precision): those that take most of the error away for their
time, beside them also products with few rows. A few layers, mostly the first and the last, can make more of the error
than all others together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx

from edgekit.common.lazy import NDArray
from edgekit.core import Feeds
from edgekit.errors import EdgekitError
from edgekit.exporters.onnx import forms as written
from edgekit.exporters.onnx import linear, residual
from edgekit.exporters.onnx.choice.trials import Trials, calls_of
from edgekit.exporters.onnx.choice.weights import Weights, record_inputs
from edgekit.exporters.onnx.finding import products, rows_of
from edgekit.exporters.onnx.graph import rebuild, version_of
from edgekit.numerics.parity import relative_error
from edgekit.quantization.candidates import Truth
from edgekit.quantization.choice import Bounds, together
from edgekit.quantization.latencies import Shape
from edgekit.quantization.plan import ASKED, LayerPlan
from edgekit.quantization.weights.identifiers import STRANGE, is_strange
from edgekit.runtimes.onnxruntime import Onnxruntime
from edgekit.runtimes.onnxruntime.runner import evaluate

#: At most so many rows count as few.
FEW_ROWS = 16
#: Products of many rows: a form is not for one that alone moves the part's outputs by more (relative root mean square).
#: All may move them by 3 %, and by less where that takes little time. Blocks take too long to be among the forms.
BOUNDS = Bounds(
    {"dynamic": 0.025, "rows": 0.03},
    Onnxruntime.costs["product"],
    aim=0.03,
    near=0.015,
    worth=3.0,
)
#: Of a part whose small errors others build on (an encoder that a decoder reads at every step): each decides alone.
CAREFUL = Bounds({"dynamic": 0.006, "rows": 0.018, "blockwise": 0.018})
#: A rotated graph computes what it did before, but for the last digits; by at most this.
_SAME = 1e-4
#: Why a product is blockwise whatever else is true of it.
TIED = "shares its weights with the embedding"

#: (layer, form) -> how far the outputs move (relative root mean square) where the layer alone has the form.
Moved = Callable[[str, str], float]
#: (how far a layer moves the outputs, shapes of the layers that need a form, shapes of those that are blockwise) ->
#: layer -> its form: for all layers that need one, and for those of the others that are better in float.
Chooser = Callable[[Moved, Mapping[str, Shape], Mapping[str, Shape]], Mapping[str, LayerPlan]]


def bounds_of(costs: Mapping[str, float], *, careful: bool, absent: Collection[str] = ()) -> Bounds:
    """What a part's products may cost and lose.

    Args:
        costs: of the forms, in the runtime; empty where they were not measured there: those of onnxruntime.
        careful: narrower limits. absent: forms that the runtime does not have.
    """
    bounds = CAREFUL if careful else replace(BOUNDS, costs=costs or BOUNDS.costs)
    limits = {form: most for form, most in bounds.limits.items() if form not in absent}
    if "blockwise" in absent:
        limits["int16"] = max(bounds.limits.values())
    return replace(bounds, limits=limits)


def choose_within_bounds(
    bounds: Bounds, moved: Moved, many: Mapping[str, Shape], few: Mapping[str, Shape]
) -> dict[str, LayerPlan]:
    """The cheapest forms within `bounds`; of `few` those that had better stay float. See `Chooser`."""
    sizes = {node: float(shape.work) for node, shape in (*many.items(), *few.items())}
    plans = together(moved, sizes, bounds, dict.fromkeys(few, "blockwise"))
    return {node: plan for node, plan in plans.items() if node in many or plan.form == "float"}


def choose(
    model: onnx.ModelProto,
    feeds: Sequence[Feeds],
    progress: Callable[[int, int], None],
    chooser: Chooser,
    *,
    equalize: bool = True,
    narrow: bool = False,
    absent: Collection[str] = (),
) -> tuple[onnx.ModelProto, dict[str, LayerPlan], Weights]:
    """Node name -> its form, and why, from what the graph does with real inputs (`feeds`); the graph for that, with its
    residual stream rotated where it has one, and inputs equalized where it helps; and rounded weights.

    Args:
        chooser: of forms for products with many rows. equalize: whether inputs may be equalized, and their outliers be
            multiplied in float.
        narrow: whether weights may get fewer bits, so that all are rounded by inputs. absent: forms that the runtime
            does not have; without blockwise, products with few rows are chosen as the others are.
    """
    found, choice, blocks = products(model), dict[str, LayerPlan](), _blocks(absent)
    counts = rows_of(model, found, feeds) if found else {}
    many, few = (dict[str, Shape]() for _ in range(2))
    for product in found:
        rows, shape = counts[product.node], Shape(max(counts[product.node], FEW_ROWS), *product.shape)
        if is_strange(product.node):
            choice[product.node] = LayerPlan("float", STRANGE)
        elif product.table:
            choice[product.node] = LayerPlan(blocks, TIED)
        elif rows <= FEW_ROWS and blocks == "blockwise":
            choice[product.node] = LayerPlan("blockwise", f"{rows} row(s) a call: bound by memory")
            few[product.node] = shape
        else:
            many[product.node] = shape
    if not many:
        return model, choice, record_inputs(model, list(choice), feeds) if narrow else Weights()
    calls = calls_of(found, counts, feeds)
    reference = evaluate(model, calls)
    model, unrotated = _try_rotation(model, calls[0], reference[:1])
    model = linear.equalize_inputs(model, list(many), feeds) if equalize else model
    by_inputs = [*many, *choice] if narrow or blocks == "int16" else list(many)
    weights = record_inputs(model, by_inputs, feeds, split=equalize)
    asked, trials = set[str](), Trials(model, [*many, *few], calls, Truth(reference))

    def measure_error(node: str, form: str) -> float:
        asked.add(node)
        progress(len(asked) - 1, len(many))
        return trials.error(node, lambda part: quantize(part, {node: form}, weights))

    note = f"; residual stream not rotated: {unrotated}" if unrotated else "; residual stream rotated"
    chosen = chooser(measure_error, many, few)
    return model, choice | {node: LayerPlan(plan.form, plan.why + note) for node, plan in chosen.items()}, weights


def choose_uniform(
    model: onnx.ModelProto, feeds: Sequence[Feeds], form: str, absent: Collection[str] = ()
) -> tuple[onnx.ModelProto, dict[str, LayerPlan], Weights]:
    """As `choose`, but all products get `form`; those that share their weights with a table are blockwise, or
    int16 where that is among `absent`. So is what should be blockwise."""
    found = products(model)
    blocks = _blocks(absent)
    form = blocks if form == "blockwise" else form
    choice = {p.node: LayerPlan(blocks, TIED) if p.table else LayerPlan(form, ASKED) for p in found}
    if not found or not feeds:
        return model, choice, Weights()
    model, _ = _try_rotation(model, feeds[0], evaluate(model, feeds[:1]))
    return model, choice, record_inputs(model, list(choice), feeds)


def _blocks(absent: Collection[str]) -> str:
    """The form for what is bound by memory and must be exact."""
    return "int16" if "blockwise" in absent else "blockwise"


def _try_rotation(
    model: onnx.ModelProto, feed: Feeds, reference: Sequence[Mapping[str, NDArray[Any]]]
) -> tuple[onnx.ModelProto, str]:
    """`model` with its residual stream rotated, and ""; or as it is, and why."""
    turned, why = residual.rotate_stream(model)
    if why:
        return model, why
    try:
        off = relative_error(evaluate(turned, [feed]), reference)
    except EdgekitError as exc:
        return model, f"the rotated graph does not run: {exc.message}"
    return (turned, "") if off <= _SAME else (model, f"it would move the outputs by {off:.1%}")


def quantize(model: onnx.ModelProto, forms: Mapping[str, str], weights: Weights | None = None) -> onnx.ModelProto:
    """A copy of `model` in which the products in `forms` (node -> form) are int8, but for those of form "float".

    Args:
        weights: rounded already; without, to nearest.
    """
    weights = weights or Weights()
    chosen = {p.node: p for p in products(model) if forms.get(p.node, "float") != "float"}
    shared = {p.table: p.node for p in chosen.values() if p.table}
    nodes: list[onnx.NodeProto] = []
    added: dict[str, NDArray[Any]] = {}
    quantized_inputs: set[str] = set()
    for node in model.graph.node:
        if node.name in chosen:
            form, weight, rows = forms[node.name], chosen[node.name].weight, weights.inputs(node.name)
            made, behind = weights.of(node.name, weight, form), list[onnx.NodeProto]()
            if rows.outliers and not made.grid.block:
                node, before, behind = written.split_outliers(node, weight, rows.outliers, added)
                nodes += before
            if made.grid.block:
                nodes += written.blockwise(node, made, added)
            elif form == "int16":
                nodes += written.int16(node, made, added, quantized_inputs, version_of(model))
            elif form.startswith("rows"):
                nodes += written.rows_alike(node, made, added, quantized_inputs, rows, version_of(model))
            else:
                nodes += written.dynamic(node, made, added, quantized_inputs)
            nodes += behind
        elif node.op_type == "Gather" and node.input[0] in shared:
            owner = shared[node.input[0]]
            made = weights.of(owner, chosen[owner].weight, forms[owner])
            if made.grid.block:
                nodes += written.lookup(node, owner, added, made)
            else:
                nodes += written.lookup_columns(node, owner, added)
        else:
            nodes.append(node)
    return linear.for_kernels(rebuild(model, nodes, added, contrib=True))
