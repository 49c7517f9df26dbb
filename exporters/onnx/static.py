"""Static int8 for ONNX: which ranges, and which products stay float, decided by measured error.

Ranges are taken from four fifths of the calibration samples; how far the outputs move is measured on the rest. The
kinds of range are compared with everything in int8; the least error wins. If that is still more than `MOST`, products
are put back to float, the most sensitive first (each quantized alone, its inputs too), until it is not. Where a recipe
wants one scale for all weights of a layer, none is put back unasked: who needs that needs all of it in integers.

Activations are unsigned: on x86 that is 1.7 times as fast as signed ones, because VNNI multiplies unsigned by signed.
Processors without VNNI (before 2019) add such products in 16 bits, which can saturate where both are large; onnxruntime
means them to use weights of 7 bits. These files have 8: such hosts have not been measured.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.common.processors import usable_processors
from edgekit.core import Feeds, Progress
from edgekit.errors import BadInput, ExportFailed
from edgekit.exporters.onnx import half, plan, qdq
from edgekit.exporters.onnx import ranges as onnx_ranges
from edgekit.exporters.onnx.runner import OnnxRunner, without_telemetry
from edgekit.numerics.parity import relative_error

#: Fewer different samples than this say nothing about ranges.
FEWEST = 8
#: Outputs may move by this much (relative root mean square over the held-out samples together).
MOST = 0.15
#: Products that may stay float because of `MOST`; if that is not enough, a gate decides.
_MOST_KEPT = 8
#: Every so many-th sample is held out.
_HELD = 5
#: Held-out samples for the many trials of single products.
_FEW = 4

#: (the model, product -> (form, why), facts for the census)
Made = tuple[onnx.ModelProto, dict[str, tuple[str, str]], dict[str, Any]]


def applies(graph: onnx.ModelProto) -> bool:
    """Whether the static form is the right one: most of the weights that multiply are in convolutions."""
    return plan.convolutional(graph)


def make(
    graph: onnx.ModelProto,
    feeds: Sequence[Feeds],
    part: str,
    ranges: str | None,
    keep: Any,
    progress: Progress,
    weights: str = "per-channel",
) -> Made:
    """The int8 form of `graph`.

    Args:
        feeds: real inputs. ranges: one of `onnx_ranges.METHODS`, or None for the best.
        keep: names of products that stay float, or how many of the most sensitive; None: as many as `MOST` demands.
        weights: "per-channel" or "per-tensor" scales.

    Raises:
        BadInput: the samples are too few, or too much the same. ExportFailed: onnxruntime does not compute it in int8.
    """
    _enough(feeds, part)
    return _Maker(graph, feeds, part, progress, weights).make(ranges, keep)


def _enough(feeds: Sequence[Feeds], part: str) -> None:
    unlike = {b"".join(np.ascontiguousarray(feed[name]).tobytes() for name in sorted(feed)) for feed in feeds}
    constant = all(np.ptp(value) == 0 for feed in feeds for value in feed.values())
    if len(unlike) >= FEWEST and not constant:
        return
    told = f"{len(feeds)}"
    if len(unlike) < len(feeds):
        told += ", all the same" if len(unlike) == 1 else f", only {len(unlike)} of them different"
    elif constant and feeds:
        told += ", each of them one constant value"
    raise BadInput(
        f"static int8 needs at least {FEWEST} different calibration samples for the part {part!r}; there were {told}.",
        hint="Give a folder of real inputs with --calibration DIR (100 are plenty), or choose --precision fp16.",
    )


class _Maker:
    def __init__(
        self, graph: onnx.ModelProto, feeds: Sequence[Feeds], part: str, progress: Progress, weights: str
    ) -> None:
        self._graph = plan.prepared(graph)
        self._plan = plan.plan(self._graph)
        self._part, self._progress, self._feeds, self._weights = part, progress, feeds, weights
        self._held = list(feeds[_HELD - 1 :: _HELD])
        self._expected = self._pooled(self._graph, self._held)
        self._few = self._pooled(self._graph, self._held[:_FEW])

    def make(self, method: str | None, keep: Any) -> Made:
        observed = self._observe()
        tries = {name: observed.ranges(name) for name in ([method] if method else onnx_ranges.METHODS)}
        kept: dict[str, str] = {}
        if keep is not None and not isinstance(keep, int):
            kept = dict.fromkeys(keep, "the recipe says so")
            self._check_names(kept)
        errors = {name: self._error(ranges, kept) for name, ranges in tries.items()}
        best = min(errors, key=lambda name: errors[name])
        told = {name: round(error, 5) for name, error in errors.items()}
        error = errors[best]
        count = keep if isinstance(keep, int) else 0
        if count or (keep is None and error > MOST and self._weights == "per-channel"):
            alone = self._alone(tries[best])
            for name in sorted(alone, key=lambda name: -alone[name])[: count or _MOST_KEPT]:
                kept[name] = f"the most sensitive: alone in int8 it moves the outputs by {alone[name]:.1%}"
                if not count:
                    error = self._error(tries[best], kept)
                    if error <= MOST:
                        break
            told[f"{best}, {len(kept)} in float"] = round(self._error(tries[best], kept), 5)
        model = half.store_in_half(self._quantized(tries[best], kept))  # those in float
        why = f"{best} ranges over {len(self._feeds) - len(self._held)} samples; all together move the outputs by "
        why += f"{list(told.values())[-1] if kept else told[best]:.1%}"
        choice = {name: ("float", kept[name]) if name in kept else ("static", why) for name in self._plan.products}
        facts = {
            "form": "static",
            "weights": self._weights,
            "ranges": best,
            "samples": len(self._feeds),
            "sha256": _hash(self._feeds),
            "errors": told,
            "fused": self._fused(model, kept),
        }
        return model, choice, facts

    def _check_names(self, names: Collection[str]) -> None:
        for name in names:
            if name not in self._plan.products:
                raise BadInput(
                    f"the part {self._part!r} has no layer {name!r} to keep in float.",
                    hint=f"It has: {', '.join(self._plan.products)}.",
                )

    def _observe(self) -> onnx_ranges.Observed:
        runner = _runner(onnx_ranges.watching(self._graph, self._plan.watched))
        used = [feed for i, feed in enumerate(self._feeds) if i % _HELD != _HELD - 1]
        what = f"calibrating {self._part}"
        return onnx_ranges.Observed(runner, used, lambda i, n: self._progress(what, i, n))

    def _alone(self, ranges: qdq.Ranges) -> dict[str, float]:
        """Product -> how far it moves the outputs where nothing else is int8."""
        moved = {}
        for i, name in enumerate(self._plan.products):
            self._progress(f"measuring layers of {self._part}", i, len(self._plan.products))
            model = self._quantized(ranges, only=[name])
            moved[name] = relative_error([self._pooled(model, self._held[:_FEW])], [self._few])
        return moved

    def _error(self, ranges: qdq.Ranges, kept: Mapping[str, str]) -> float:
        model = self._quantized(ranges, kept)
        return relative_error([self._pooled(model, self._held)], [self._expected])

    def _quantized(
        self, ranges: qdq.Ranges, kept: Collection[str] = (), only: Collection[str] | None = None
    ) -> onnx.ModelProto:
        return qdq.quantize(self._plan, ranges, kept, only, per_channel=self._weights == "per-channel")

    def _pooled(self, model: onnx.ModelProto, feeds: Sequence[Feeds]) -> dict[str, NDArray[Any]]:
        runner = _runner(model)
        answers = [runner(feed) for feed in feeds]
        return {name: np.concatenate([answer[name].reshape(-1) for answer in answers]) for name in answers[0]}

    def _fused(self, model: onnx.ModelProto, kept: Mapping[str, str]) -> dict[str, int]:
        """Operators that onnxruntime really computes with.

        Raises:
            ExportFailed: products that were quantized are computed in float, or the other way round.
        """
        found = operators(model)
        floats = sum(found[name] + found[f"Fused{name}"] for name in plan.PRODUCTS)
        before = sum(node.op_type in plan.PRODUCTS for node in self._graph.graph.node) - len(self._plan.products)
        if floats != len(kept) + before:
            raise ExportFailed(
                f"onnxruntime would compute {floats} layers of the part {self._part!r} in float where "
                f"{len(kept) + before} were meant: {dict(found)}.",
                hint="Report this with the version of onnxruntime: its rules for fusing have changed.",
            )
        return dict(sorted(found.items()))


def operators(model: onnx.ModelProto) -> Counter[str]:
    """Operators of the graph that onnxruntime makes of `model` on this machine, before it lays out memory."""
    without_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with TemporaryDirectory() as folder:
        file = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(file)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return Counter(node.op_type for node in onnx.load(file).graph.node)


def _runner(model: onnx.ModelProto) -> Callable[[Feeds], dict[str, NDArray[Any]]]:
    return OnnxRunner(model.SerializeToString(), threads=usable_processors())


def _hash(feeds: Sequence[Feeds]) -> str:
    """Of the calibration inputs, in order: what an exporter sees of them."""
    digest = hashlib.sha256()
    for feed in feeds:
        for name in sorted(feed):
            digest.update(f"{name} {feed[name].dtype} {feed[name].shape} ".encode())
            digest.update(np.ascontiguousarray(feed[name]).tobytes())
    return digest.hexdigest()
