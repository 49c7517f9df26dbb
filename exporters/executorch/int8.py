"""int8 by PT2E: XNNPACK's own quantizer for the places, our own observers for the ranges.

``static``
    Weights int8 a channel, activations int8 with ranges from calibration: everything is computed in integers.
``dynamic``
    Weights int8 a channel, activations quantized while running, a scale for every row. For products of matrices and
    ordinary 2-D convolutions; others stay float.

XNNPACK's own recipe (executorch 1.5) loses five points of EfficientNet-Lite0's top-1, for reasons that are undone here
and told in docs/vision.md: it does not know that a ReLU6 belongs to the convolution before it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import torch

from edgekit.common.quiet import quiet
from edgekit.core import Feeds, Part
from edgekit.exporters.executorch import api
from edgekit.exporters.executorch.tidy import CONVOLUTIONS, WEIGHTED, Graph, Node, constant_padding, name_of
from edgekit.quantization.ranges import EXTREMES, Extremes, least_scale
from edgekit.quantization.samples import subsample_evenly

#: Calls that ranges are taken over, at most, evenly spaced: a stream has thousands.
_CALLS = 128
#: The least scale, against division by zero. XNNPACK's recipe has 2 ** -12, which is coarser than many real layers'.
_LEAST = 2.0**-40
_ANNOTATION = "quantization_annotation"
_aten = torch.ops.aten
_decomposed = torch.ops.quantized_decomposed
_QUANTIZE, _DEQUANTIZE = _decomposed.quantize_per_tensor.default, _decomposed.dequantize_per_tensor.default


def layers(graph: Graph) -> dict[str, Node]:
    """Operators with constant weights, by name, in order."""
    out: dict[str, Node] = {}
    for node in graph.graph.nodes:
        if node.target in WEIGHTED and node.args[1].op == "get_attr":
            name = name_of(node)
            out[f"{name}:{len(out)}" if name in out else name] = node
    return out


def convolutional(graph: Graph) -> bool:
    """Whether convolutions do at least half of the multiplications with weights."""
    work = dict.fromkeys((True, False), 0)
    for node in layers(graph).values():
        weight, out = node.args[1].meta["val"], node.meta["val"]
        sizes = [size if isinstance(size, int) else 1 for size in out.shape]
        channels = out.shape[1 if node.target in CONVOLUTIONS else -1]
        work[node.target in CONVOLUTIONS] += torch.Size(sizes).numel() // int(channels) * weight.numel()
    return work[True] >= max(work[False], 1)


def tensors(part: Part, feed: Feeds) -> list[torch.Tensor]:
    """A call of the part as its graph takes it."""
    return [torch.from_numpy(feed[spec.name].copy()) for spec in part.inputs]


class _Ranges(api.UniformQuantizationObserverBase):  # type: ignore[misc]
    """Least and largest value over all samples: of all values, and without the tails. `kind` says which counts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kind, self._seen = EXTREMES[0], Extremes(interpolated=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel():
            self._seen.see("", x.detach().float().numpy())
        return x

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        least, largest = self._seen.ranges(self.kind).get("", (0.0, 0.0))
        found: tuple[torch.Tensor, torch.Tensor] = self._calculate_qparams(torch.tensor(least), torch.tensor(largest))
        return found


class _Quantizer(api.XNNPACKQuantizer):  # type: ignore[misc]
    """XNNPACK's own, which takes a clamp behind a layer for a part of it: XNNPACK computes it as such."""

    def transform_for_annotation(self, model: Graph) -> Graph:
        """Numbers in sums and products become float tensors; but not in those of integers, which may be indices."""
        integers = {
            node: node.target for node in model.graph.nodes
            if node.target in (_aten.add.Tensor, _aten.mul.Tensor) and not node.meta["val"].is_floating_point()
        }  # fmt: skip
        for node in integers:  # of this one it knows nothing
            node.target = _aten.sub.Tensor
        super().transform_for_annotation(model)
        for node, target in integers.items():
            node.target = target
        model.recompile()
        return model

    def annotate(self, model: Graph) -> Graph:
        clamps = [
            node for node in model.graph.nodes
            if node.target is _aten.hardtanh.default and getattr(node.args[0], "target", None) in WEIGHTED
        ]  # fmt: skip
        for node in clamps:  # of the two, its patterns know only this one
            node.target = _aten.relu.default
        annotated: Graph = super().annotate(model)
        for node in clamps:
            node.target = _aten.hardtanh.default
        return annotated


def calibrate_graph(part: Part, graph: Graph, form: str, kept: Collection[str], feeds: Sequence[Feeds]) -> Graph:
    """`graph` with observers that have seen `feeds`, and none at the layers in `kept`, nor at terms of sums."""
    quantizer = _Quantizer().set_global(_config(form))
    floats = {node.name for name, node in layers(graph).items() if name in kept} | _terms(graph)
    quantizer.set_filter_function(lambda node: node.name not in floats)
    with quiet(), torch.no_grad():
        ready: Graph = api.prepare_pt2e(copy.deepcopy(graph), quantizer)
        for feed in subsample_evenly(feeds, _CALLS) if form == "static" else feeds[:1]:
            ready(*tensors(part, feed))
    return ready


def _terms(graph: Graph) -> set[str]:
    """Products that are only summed: the sum is in float anyway, and most of its terms are far below a step of int8.

    ECAPA's weighted mean and deviation over time: in int8 they make half of the error of the whole network.
    """
    return {
        node.name for node in graph.graph.nodes
        if node.target is _aten.mul.Tensor and {user.target for user in node.users} == {_aten.sum.dim_IntList}
    }  # fmt: skip


def convert_to_int8(ready: Graph, kind: str) -> Graph:
    """What `calibrate_graph` made, in int8, with ranges of one kind ("" for the dynamic form)."""
    with quiet():
        graph = copy.deepcopy(ready)
    _own_annotations(graph)
    for module in graph.modules():
        if isinstance(module, _Ranges):
            module.kind = kind
    if kind:
        _make_room_for_biases(graph)
    with quiet(), torch.no_grad():
        made: Graph = api.convert_pt2e(graph)
    _lift_pads(made)
    made.graph.eliminate_dead_code()
    made.recompile()
    return made


def _own_annotations(graph: Graph) -> None:
    """A copied graph has annotations that name nodes of the first one, where PT2E looks in vain for what it made."""
    nodes = {node.name: node for node in graph.graph.nodes}
    for node in graph.graph.nodes:
        if annotation := node.meta.get(_ANNOTATION):
            own = {nodes[source.name]: spec for source, spec in annotation.input_qspec_map.items()}
            node.meta[_ANNOTATION] = replace(annotation, input_qspec_map=own)


def _config(form: str) -> api.QuantizationConfig:
    dynamic = form == "dynamic"
    observer = api.PlaceholderObserver if dynamic else _Ranges
    activation = api.QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        is_dynamic=dynamic,
        observer_or_fake_quant_ctr=observer.with_args(eps=_LEAST),
    )
    weight = api.QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        observer_or_fake_quant_ctr=api.PerChannelMinMaxObserver.with_args(eps=_LEAST),
    )
    return api.QuantizationConfig(activation, None if dynamic else activation, weight, None)


def _make_room_for_biases(graph: Graph) -> None:
    """Widen the ranges of weights that are all but zero, so that their bias fits into 32 bits of their scale."""
    modules = dict(graph.named_modules())
    for node in graph.graph.nodes:
        if node.target not in WEIGHTED or len(node.args) < 3 or node.args[2] is None:
            continue
        source, weight = (modules.get(str(arg.target)) for arg in node.args[:2])
        if not isinstance(source, _Ranges) or not isinstance(weight, api.PerChannelMinMaxObserver):
            continue
        bias = graph.get_parameter(node.args[2].target) if node.args[2].op == "get_attr" else None
        if bias is None:
            continue
        step = source.calculate_qparams()[0]
        needed = least_scale(bias.detach(), step) * 127
        weight.max_val = torch.maximum(weight.max_val, needed)


def _lift_pads(graph: Graph) -> None:
    """Zeros are padded in int8: behind the step from float to int8, not before it."""
    for pad in list(graph.graph.nodes):
        if constant_padding(pad) is None:
            continue
        users = list(pad.users)
        if len(users) != 1 or users[0].target is not _QUANTIZE:
            continue
        quantize, source = users[0], pad.args[0]
        (dequantize,) = quantize.users
        if source.target is not _DEQUANTIZE:
            with graph.graph.inserting_before(pad):
                first = graph.graph.call_function(_QUANTIZE, (source, *quantize.args[1:]))
                second = graph.graph.call_function(_DEQUANTIZE, (first, *dequantize.args[1:]))
            pad.replace_input_with(source, second)
        dequantize.replace_all_uses_with(pad)
        graph.graph.erase_node(dequantize)
        graph.graph.erase_node(quantize)
