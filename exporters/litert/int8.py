"""int8 for LiteRT through ai-edge-quantizer: three forms, and what decides between them.

``static``
    Weights int8 a channel, activations int8 with ranges from calibration: everything is computed in integers. The
    fastest for convolutions (MobileNetV2 here: 3.1 ms against 7.1 ms in float and 14.8 ms in the dynamic form), and
    the only one that microcontrollers take.
``dynamic``
    Weights int8, activations quantized while running, for products of matrices. Nothing is calibrated, so outliers cost
    less. Convolutions are stored in int8 and computed in float: LiteRT's dynamic convolution is slower than float.
``weight-only``
    All weights stored in int8, all arithmetic in float.

Ranges are taken here and handed to the quantizer, because its own are a moving average that depends on the order of
the samples.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.common.quiet import quiet
from edgekit.core import Facts, Json
from edgekit.errors import ExportFailed, need
from edgekit.exporters.litert import file
from edgekit.exporters.litert.wish import Wish
from edgekit.quantization.plan import Plan
from edgekit.quantization.ranges import Ranges, least_scale

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D")
_PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL", "EMBEDDING_LOOKUP")


def convolutional(model: Any) -> bool:
    """Whether convolutions do at least half of the multiplications with weights."""
    graph, work = model.subgraphs[0], dict.fromkeys((True, False), 0)
    for _, kind, operator, weights, _, axis in file.weighted_operators(model):
        values = file.constant(model, graph, weights)
        assert values is not None
        if kind in ("EMBEDDING_LOOKUP", "GATHER"):
            continue
        positions = int(np.prod(np.abs(graph.tensors[int(operator.outputs[0])].shape))) // values.shape[axis]
        work[kind in _CONVOLUTIONS] += positions * values.size
    return work[True] >= max(work[False], 1)


def quantize_model(content: bytes, plan: Plan, wish: Wish, ranges: Ranges, part: str) -> bytes:
    """The float model `content` as `plan` says. `ranges`: tensor -> range, for the static form.

    Raises:
        ExportFailed: the quantizer cannot do it.
    """
    with need("litert", "Quantizing for LiteRT"), quiet():
        from ai_edge_quantizer import quantizer as aeq
    found, per_channel = None, wish.weights == "per-channel"
    if plan.form == "static":
        content, ranges = _with_finite_pads(content, _with_zeros(content, ranges))
        _check_ranges(ranges, part)
        config = tensor_config(activations=True, per_channel=per_channel)
        recipe = [rule("*", config), *(rule(end, None) for end in ("INPUT", "OUTPUT") if wish.io == "float")]
        found = _with_floors(content, ranges, per_channel)
    elif plan.form == "dynamic":
        recipe = [*(rule(kind, tensor_config()) for kind in _PRODUCTS), *_weight_only_rules(_CONVOLUTIONS)]
    else:
        recipe = _weight_only_rules((*_CONVOLUTIONS, *_PRODUCTS))
    # The quantizer knows an operator by the names of its outputs, each with a semicolon.
    recipe += [rule("*", None, f"^{re.escape(name)};?$") for name in plan.floats]
    try:
        with quiet():
            worker = aeq.Quantizer(bytearray(content), recipe)
            made = worker.quantize(found, enable_progress_bar=False, enable_progress_report=False)
    except Exception as exc:  # the quantizer raises many unrelated types
        reason = next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
        raise ExportFailed(f"ai-edge-quantizer could not quantize the part {part!r}: {reason[:300]}") from exc
    return file.pack(file.parse(bytes(made.quantized_model)))


def tensor_config(*, activations: bool = False, integer: bool = True, per_channel: bool = True) -> Facts:
    granularity = "CHANNELWISE" if per_channel else "TENSORWISE"
    tensor: Facts = {"num_bits": 8, "symmetric": True, "granularity": granularity, "dtype": "INT"}
    config: dict[str, Json] = {
        "weight_tensor_config": tensor,
        "compute_precision": "INTEGER" if integer else "FLOAT",
        "explicit_dequantize": not integer,
        "skip_checks": False,
        "min_weight_elements": 0,
    }
    if activations:
        config["activation_tensor_config"] = {**tensor, "symmetric": False, "granularity": "TENSORWISE"}
    return config


def rule(kind: str, config: Facts | None, where: str = ".*") -> Facts:
    key = "min_max_uniform_quantize" if config else "no_quantize"
    return {"regex": where, "operation": kind, "algorithm_key": key, "op_config": config or {}}


def _weight_only_rules(kinds: Iterable[str]) -> list[Facts]:
    named = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}
    return [rule(named.get(kind, kind), tensor_config(integer=False)) for kind in kinds if kind != "CONV_3D"]


def _with_floors(content: bytes, found: Ranges, per_channel: bool) -> dict[str, dict[str, NDArray[Any]]]:
    """The ranges of activations as the quantizer wants them, and those of weights whose bias would overflow.

    Other constants get none: weights with one range for all of them would get one scale for all of them.
    """
    out: dict[str, dict[str, NDArray[Any]]] = {}
    model = file.parse(content)
    graph = model.subgraphs[0]
    tensors = {file.text(tensor.name): tensor for tensor in graph.tensors}
    for name, (least, largest) in found.items():
        if name in tensors and model.buffers[tensors[name].buffer].data is not None:
            continue
        shape = (1,) * (len(tensors[name].shape) if name in tensors else 0)
        out[name] = {"min": np.full(shape, least, np.float32), "max": np.full(shape, largest, np.float32)}
    for _, _, operator, weights, bias, axis in file.weighted_operators(model):
        values, source = file.constant(model, graph, weights), _activation(graph, operator, weights)
        biases = file.constant(model, graph, bias) if bias >= 0 else None
        if values is None or biases is None or source not in found or biases.size != values.shape[axis]:
            continue
        least, largest = found[source]
        step = (max(largest, 0.0) - min(least, 0.0)) / 255
        across = tuple(i for i in range(values.ndim) if i != axis)
        bound = np.abs(values).max(axis=across, keepdims=True)
        needed = least_scale(biases.reshape(bound.shape), max(step, 1e-30)) * 127
        if (needed > bound).any():
            bound = np.maximum(bound, needed).astype(np.float32)
            bound = bound if per_channel else bound.max(keepdims=True)
            out[file.text(graph.tensors[weights].name)] = {"min": -bound, "max": bound}
    return out


#: LiteRT ends the process where a step of int8 is this large: masks of the least float32 make such ranges.
_LARGEST = 1e30


def _check_ranges(ranges: Ranges, part: str) -> None:
    """Raise ExportFailed for a tensor whose values no int8 can hold."""
    for name, ends in ranges.items():
        if (farthest := max(ends, key=abs)) and abs(farthest) > _LARGEST:
            raise ExportFailed(
                f"in the part {part!r}, {name} reaches {farthest:.3g}, and int8 has 256 steps from the least to the "
                "largest value.",
                hint="Mask with a modest number, such as -1e4, or choose the dynamic form.",
            )


def _with_zeros(content: bytes, ranges: Ranges) -> Ranges:
    """What was always 0 gets the range of what it is made of: XNNPACK refuses a much finer step behind an operator."""
    model, known = file.parse(content), dict(ranges)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        inputs, outputs = (
            [file.text(graph.tensors[int(index)].name) for index in side if index >= 0]
            for side in (operator.inputs, operator.outputs)
        )
        for name in (name for name in outputs if name in known and not any(known[name])):
            known[name] = max((known[source] for source in inputs if source in known), key=np.ptp, default=(0.0, 1.0))
            known[name] = known[name] if any(known[name]) else (0.0, 1.0)
    return known


#: A padding below this stands for "no value", as in front of a maximum.
_NOTHING = -1e30


def _with_finite_pads(content: bytes, ranges: Ranges) -> tuple[bytes, Ranges]:
    """Padding with minus infinity, which has no int8, becomes padding with the least value of what is padded.

    A maximum over it is the same: no value of the range is below its least.
    """
    model, known = file.parse(content), dict(ranges)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if file.name_of(model, operator) != "PADV2":
            continue
        source, value, made = (int(index) for index in (operator.inputs[0], operator.inputs[2], operator.outputs[0]))
        filled, held = file.constant(model, graph, value), known.get(file.text(graph.tensors[source].name))
        if filled is None or held is None or filled.max() > _NOTHING:
            continue
        tensor, buffer = copy.copy(graph.tensors[value]), copy.copy(model.buffers[graph.tensors[value].buffer])
        buffer.data = np.full(filled.size, held[0], "<f4").view(np.uint8)
        model.buffers.append(buffer)
        name = file.text(graph.tensors[made].name)
        tensor.name, tensor.buffer = f"{name}/least", len(model.buffers) - 1
        graph.tensors.append(tensor)
        operator.inputs = np.array([source, operator.inputs[1], len(graph.tensors) - 1], np.int32)
        known[name] = held
    return file.pack(model), known


def _activation(graph: Any, operator: Any, weights: int) -> str:
    """The name of what an operator multiplies its weights with."""
    others = [int(index) for index in operator.inputs if int(index) not in (weights, -1)]
    place = 0 if int(operator.inputs[0]) != weights else len(others) - 1
    return file.text(graph.tensors[others[place]].name) if others else ""
