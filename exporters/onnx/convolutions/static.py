"""Static int8 for ONNX: which ranges, and which products stay float, decided by measured error.

Ranges are taken from four fifths of the calibration samples; how far the outputs move is measured on the rest. The
kinds of range are compared with everything in int8; another than the whole range must have clearly less error. The
first layers of a network of pictures stay float where that takes away 5 % of the error: in float they are as fast.
If the error is still more than `MOST`, or for a detector `MOST_OF_SCORES`, products are put back to float, the most
sensitive first (each quantized alone, its inputs too), until it is not. Where a recipe wants one scale for all weights
of a layer, none is put back unasked: who needs that needs all of it in integers.

Activations are unsigned: on x86 that is 1.7 times as fast as signed ones, because VNNI multiplies unsigned by signed.
Processors without VNNI (before 2019) add such products in 16 bits, which saturate where both are large; there
onnxruntime takes other kernels where a session asks for them, as edgekit's do (`formats/onnx/runner.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from edgekit.common.lazy import NDArray, np, onnxruntime
from edgekit.core import Facts, Feeds, Progress
from edgekit.errors import ExportFailed
from edgekit.exporters.onnx import half
from edgekit.exporters.onnx.convolutions import places, qdq, rounding
from edgekit.exporters.onnx.convolutions.evened import equalize_channels
from edgekit.exporters.onnx.linear import with_stored
from edgekit.quantization import samples
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.choice import choose
from edgekit.quantization.plan import LayerPlan, Plan, Wish
from edgekit.quantization.ranges import METHODS, WIDE, Histograms, Ranges
from edgekit.quantization.weights.streams import better
from edgekit.runtimes.onnxruntime.runner import evaluate, open_model, without_telemetry

#: Outputs may move by this much (relative root mean square over the held-out samples together).
MOST = 0.15
#: As much where scores stand beside boxes, of which a threshold takes some: by 0.15 a real YOLOv8 found 76 of the 85
#: objects that it finds in float, by 0.08 80.
MOST_OF_SCORES = 0.1
#: Every so many-th sample is held out.
_HELD = 5
#: Held-out samples for the many trials of single products.
_FEW = 4
#: Operators whose weights are stored in int8, as they have no integer product.
_STORED = ("ConvTranspose", "Einsum")

Outputs = list[dict[str, NDArray[Any]]]
#: (the model, product -> what became of it, facts for the census)
Made = tuple[onnx.ModelProto, dict[str, LayerPlan], Facts]


@dataclass(frozen=True)
class Needs:
    """What a runtime needs of static int8.

    Attributes:
        whole: all in integers, with quantized results, because what mixes with float is left to another processor; so
            nothing is put back to float unasked. bits: of activations, 8 or 16.
    """

    whole: bool = False
    bits: int = 8


def make(
    model: onnx.ModelProto, feeds: Sequence[Feeds], part: str, wish: Wish, tell: Progress, needs: Needs = Needs()
) -> Made:
    """The int8 form of `model`.

    Raises:
        BadInput: the samples are too few, or too much the same. Unsupported: a layer to keep in float does not exist.
        ExportFailed: onnxruntime does not compute it in int8.
    """
    samples.check(feeds, part)
    candidates, balance = _try_equalization(_Static(model, feeds, part, wish, tell, needs), model, wish)
    chosen, model = choose(candidates, wish)
    model, stored = with_stored(model, kinds=_STORED)
    fused = {} if needs.whole else candidates.count_fused_operators(model, chosen.floats)  # it computes elsewhere
    model = half.store_in_half(model, keep=lambda name: name.endswith(".scales"))  # layers in float
    forms = {name: "float" if name in chosen.floats else "static" for name in candidates.layers}
    facts: Facts = {"weights": wish.weights, "sha256": _hash(feeds), "fused": fused}
    return model, {**chosen.layers(forms), **stored}, {**chosen.facts, **facts, **balance}


def _try_equalization(candidates: _Static, model: onnx.ModelProto, wish: Wish) -> tuple[_Static, Facts]:
    """The same part, with channels that are evened out where that helps; facts for the census."""
    graph = equalize_channels(model, candidates.calibrating) if wish.weights == "per-channel" else None
    if graph is None or not candidates.measured:
        return candidates, {}
    return better(
        candidates, _Static(graph, candidates.feeds, candidates.part, wish, candidates.tell, candidates.needs)
    )


class _Static(Candidates[onnx.ModelProto]):
    convolutional = True
    methods: Sequence[str] = METHODS
    rare: Sequence[str] = (WIDE,)
    alone_in = "int8"

    def __init__(
        self, model: onnx.ModelProto, feeds: Sequence[Feeds], part: str, wish: Wish, tell: Progress, needs: Needs
    ) -> None:
        super().__init__(part, feeds, tell)
        self.needs = needs
        self._graph, self._per_channel = places.rewrite_for_int8(model), wish.weights == "per-channel"
        self._places = places.places(self._graph, whole=needs.whole, bits=needs.bits)
        self.layers = list(self._places.products)
        self.head = places.head(self._places) if self._per_channel and wish.head else ()
        self.measured = feeds[_HELD - 1 :: _HELD]
        self.few = self.measured[:_FEW]
        bounded = self._per_channel and not needs.whole
        self.most = (MOST_OF_SCORES if self.unlike else MOST) if bounded else float("inf")
        if needs.bits > 8:
            self.methods = self.rare  # so many steps lose nothing to a wide range
        wish.check_layers(f"the part {part!r}", self.layers)

    def make(self, plan: Plan) -> onnx.ModelProto:
        return self._quantize_part(plan, kept=plan.floats)

    def nearest(self) -> onnx.ModelProto:
        """Everything in int8, weights rounded to nearest, no value cut off."""
        ranges = self._ranges("min-max")
        return qdq.quantize(self._places, ranges, per_channel=self._per_channel, bits=self.needs.bits)

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Iterator[tuple[str, Outputs]]:
        """Its input in int8, too, and nothing else."""
        for name in self.layers:
            yield name, evaluate(self._quantize_part(plan, only=[name]), feeds)

    def run(self, made: onnx.ModelProto | None, feeds: Sequence[Feeds]) -> Outputs:
        return evaluate(self._graph if made is None else made, feeds)

    def _quantize_part(self, plan: Plan, **which: Collection[str]) -> onnx.ModelProto:
        ranges, bits = self._ranges(plan.ranges), self.needs.bits
        return qdq.quantize(
            self._places, ranges, per_channel=self._per_channel, rounded=self._gptq_weights, bits=bits, **which
        )

    @cached_property
    def _gptq_weights(self) -> dict[str, rounding.Arrays]:
        return rounding.round_products(
            self._places,
            self.calibrating,
            lambda i, n: self.tell(f"rounding weights of {self.part}", i, n),
            per_channel=self._per_channel,
        )

    @cached_property
    def _ranges(self) -> Callable[[str], Ranges]:
        runner = open_model(self._graph, self._places.tensors_to_calibrate)
        calibrating = self.calibrating
        return cache(Histograms(runner, calibrating, lambda i, n: self.tell(f"calibrating {self.part}", i, n)).ranges)

    @property
    def calibrating(self) -> list[Feeds]:
        return [feed for i, feed in enumerate(self.feeds) if i % _HELD != _HELD - 1]

    def count_fused_operators(self, model: onnx.ModelProto, kept: Collection[str]) -> dict[str, int]:
        """Operators that onnxruntime really computes with.

        Raises:
            ExportFailed: products that were quantized are computed in float, or the other way round.
        """
        found = operators(model)
        floats = sum(found[name] + found[f"Fused{name}"] for name in places.PRODUCTS)
        before = sum(node.op_type in places.PRODUCTS for node in self._graph.graph.node) - len(self.layers)
        if floats != len(kept) + before:
            raise ExportFailed(
                f"onnxruntime would compute {floats} layers of the part {self.part!r} in float where "
                f"{len(kept) + before} were meant: {dict(found)}.",
                hint="Report this with the version of onnxruntime: its rules for fusing have changed.",
            )
        return dict(sorted(found.items()))


def operators(model: onnx.ModelProto) -> Counter[str]:
    """Operators of the graph that onnxruntime makes of `model` on this machine, before it lays out memory."""
    without_telemetry()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with TemporaryDirectory() as folder:
        file = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(file)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return Counter(node.op_type for node in onnx.load(file).graph.node)


def _hash(feeds: Sequence[Feeds]) -> str:
    """Of the calibration inputs, in order: what an exporter sees of them."""
    digest = hashlib.sha256()
    for feed in feeds:
        for name in sorted(feed):
            digest.update(f"{name} {feed[name].dtype} {feed[name].shape} ".encode())
            digest.update(np.ascontiguousarray(feed[name]).tobytes())
    return digest.hexdigest()
