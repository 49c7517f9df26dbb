"""Weights of products, rounded for every form by the inputs that were recorded of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx

from edgekit.common.lazy import Doubles, Floats, np
from edgekit.core import Feeds
from edgekit.exporters.onnx.finding import BLOCK, Product, products
from edgekit.exporters.onnx.forms import Rows
from edgekit.quantization.ranges import best_zero
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.gptq import Grid, Rounded, hessian, nearest, round_by_gptq, shrink_hessian
from edgekit.quantization.weights.outliers import find_outliers
from edgekit.runtimes.onnxruntime.runner import open_model

#: Where weights are coded or have 4 bits. Scales of coded weights repeat from block to block, and take nothing.
SMALL_BLOCK = 32
#: Weights of an output, by form; and the bits that coded ones may have.
GRIDS = dict.fromkeys(("dynamic", "rows", "int16"), Grid(8))
GRIDS |= {"blockwise": Grid(8, BLOCK), "four-bit": Grid(4, SMALL_BLOCK)}
CODED = tuple(bits / 4 for bits in range(10, 29))
GRIDS |= {f"{form}-{bits:g}": Grid(8, 0, bits) for form in ("dynamic", "rows") for bits in CODED}
GRIDS |= {f"blockwise-{bits:g}": Grid(8, SMALL_BLOCK, bits) for bits in CODED}
GRIDS |= {f"table-{bits:g}": Grid(8, SMALL_BLOCK, bits, even=True) for bits in CODED}
#: Inputs of products are recorded until there are so many rows, of at most so many calls. With too few, weights are
#: rounded to nearest: by some twenty rows of one clip the decoder of whisper-base came out 40 % away in four bits.
_ROWS, _CALLS, _TOO_FEW = 4000, 2048, 128
#: Rows that are put into Hessians at once; the first of them tell which channels are outliers.
_BATCH = 256


class Weights:
    """The weights of products, rounded once for every form: by the inputs that were recorded of a product, if any.

    Args:
        curvatures: node -> Hessian [K, K] of its inputs. inputs: node -> what else is known of these. rows: how many
            were recorded.
    """

    def __init__(
        self,
        curvatures: Mapping[str, Doubles] | None = None,
        inputs: Mapping[str, Rows] | None = None,
        rows: int = 0,
    ) -> None:
        self._curvatures, self._made = dict(curvatures or {}), dict[tuple[str, Grid], Rounded]()
        self._inputs, self._rows = dict(inputs or {}), rows

    def inputs(self, node: str) -> Rows:
        """What is known of the inputs of `node`."""
        return self._inputs.get(node, Rows())

    def of(self, node: str, weight: Floats, form: str) -> Rounded:
        """Those of `node`, [K, N], as `form` has them. Of outliers, which are multiplied in float, they are 0."""
        key, outliers = (node, GRIDS[form]), self.inputs(node).outliers
        if key not in self._made:
            curvature = self._curvatures.get(node)
            if curvature is not None:
                curvature = shrink_hessian(curvature, self._rows)
            if outliers and not key[1].block:
                weight = weight.copy()
                weight[list(outliers)] = 0
                if curvature is not None:  # what other channels lose is not made up for by these
                    curvature[list(outliers)], curvature[:, list(outliers)] = 0, 0
            made = nearest(weight, key[1]) if curvature is None else round_by_gptq(weight, curvature, key[1])
            self._made[key] = made
        return self._made[key]


class _Recorder:
    """Rows of an input, of which only sums and ends are kept.

    Args:
        readers: the products that it is the input of, whose weights may have a scale for each output.
    """

    def __init__(self, readers: Sequence[Product]) -> None:
        self.curvature: Doubles | None = None
        self._readers, self._waiting, self._ends = readers, list[Floats](), list[Floats]()
        self._outliers: tuple[int, ...] | None = None

    def add(self, rows: Floats) -> None:
        """Rows [rows, K] of a call."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _BATCH:
            self._sum_up()

    def inputs(self, single: bool) -> Rows:
        """What is known of the input."""
        self._sum_up()
        return Rows(best_zero(*np.concatenate(self._ends, axis=1)), single, self._outliers or ())

    def _sum_up(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate(self._waiting)
        self._waiting.clear()
        self.curvature = hessian(rows, self.curvature)
        if self._outliers is None:
            found = [find_outliers(np.abs(rows).max(axis=0), one.weight) for one in self._readers]
            self._outliers = tuple(np.unique(np.concatenate(found)).tolist()) if found else ()
        if self._outliers:
            rows[:, list(self._outliers)] = 0
        self._ends.append(np.stack([rows.min(axis=1), rows.max(axis=1)]))


def record_inputs(
    model: onnx.ModelProto, nodes: Sequence[str], feeds: Sequence[Feeds], *, split: bool = True
) -> Weights:
    """Weights for `nodes` (products) by their inputs on some of `feeds`. split: whether outliers may be in float."""
    inputs = {node.name: node.input[0] for node in model.graph.node if node.name in nodes}
    found = {product.node: product for product in products(model)}
    # What shares its weights with a table is multiplied by all of them.
    whole = {node for node in inputs if node not in found or found[node].table}
    uncut = whole if split else set(inputs)
    recorders = {
        name: _Recorder([found[node] for node, read in inputs.items() if read == name and node not in uncut])
        for name in inputs.values()
    }
    runner, count = open_model(model, dict.fromkeys(inputs.values())), 0
    for feed in subsample_evenly(feeds, _CALLS):
        seen = {name: value.reshape(-1, value.shape[-1]) for name, value in runner(feed).items()}
        for name, rows in seen.items():
            recorders[name].add(rows)
        count += max(map(len, seen.values()), default=0)
        if count >= _ROWS:
            break
    if count < _TOO_FEW:
        return Weights()
    shapes = {spec.name: spec.shape for spec in runner.outputs}
    known = {name: one.inputs(all(size == 1 for size in shapes[name][:-2])) for name, one in recorders.items()}
    curvatures = {node: recorders[name].curvature for node, name in inputs.items()}
    # Of a table that is looked up, too, the rows themselves count as much as the products with them. By the products
    # alone, what inputs rarely show is left to chance: whisper-base's embedding in 4 bits moves the next token by 0.030
    # nats (KL divergence), as much as to nearest; with its rows by 0.013.
    return Weights(
        {
            node: shrink_hessian(curvature, share=1) if node in whole else curvature
            for node, curvature in curvatures.items()
            if curvature is not None
        },
        {node: replace(known[name], outliers=()) if node in whole else known[name] for node, name in inputs.items()},
        count,
    )
