"""What a .tflite really holds: operators, bytes by dtype, islands of float, and whether its precision says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import np
from edgekit.common.quiet import quiet
from edgekit.core import Feeds
from edgekit.errors import BadInput, ExportFailed, MissingExtra
from edgekit.formats import tflite
from edgekit.formats.descriptions import Specs
from edgekit.formats.tflite.tensors import sides_of
from edgekit.runtimes.litert.runner import LitertRunner
from edgekit.runtimes.tflite_micro.runner import MicroRunner

#: Operators that multiply with weights, and which input holds them.
_WEIGHTS = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "CONV_3D": 1, "BATCH_MATMUL": 1,
    "EMBEDDING_LOOKUP": 1, "UNIDIRECTIONAL_SEQUENCE_LSTM": 1, "SVDF": 1,
}  # fmt: skip
_CROSSINGS = ("QUANTIZE", "DEQUANTIZE")
_INT8 = ("int8", "uint8", "int4")
#: Calls that are compared with the microcontroller's interpreter, whose kernels are slow here.
_COMPARED = 2
#: Steps of the output by which two right implementations may differ (rounding); more is garbage.
_ROUNDING = 2


def census(graph: tflite.Graph) -> dict[str, Any]:
    """Operators by type, bytes of constants by dtype, products by arithmetic, islands of float (JSON-able).

    ``forms`` (layer -> how its weights are used) is what `layers` is made of.
    """
    held: Counter[str] = Counter()
    seen: set[int] = set()
    for one in graph.subgraphs:
        for tensor in one.tensors:
            # Constants that share a buffer are the same memory.
            if tensor.data is not None and tensor.data.ctypes.data not in seen:
                seen.add(tensor.data.ctypes.data)
                held[tensor.dtype] += tensor.data.nbytes
    operators = Counter(operator.name for one in graph.subgraphs for operator in one.operators)
    forms = _forms(graph.subgraphs[0])
    return {
        "operators": dict(sorted(operators.items())),
        "bytes": dict(sorted(held.items())),
        "weighted_int8": sum(form in ("static", "dynamic") for form in forms.values()),
        "weighted_float": sum(form == "float" for form in forms.values()),
        "float_layers": sorted(name for name, form in forms.items() if form == "float"),
        "float_operators": _islands(graph.subgraphs[0]),
        "transposes": operators["TRANSPOSE"],
        "forms": forms,
    }


def _forms(main: tflite.Subgraph) -> dict[str, str]:
    widened = {op.outputs[0]: op.inputs[0] for op in main.operators if op.name == "DEQUANTIZE"}
    forms: dict[str, str] = {}
    for operator in main.operators:
        place = _WEIGHTS.get(operator.name)
        if place is None or place >= len(operator.inputs):
            continue
        index = operator.inputs[place]
        source = widened.get(index, index)
        weights, output = main.tensors[source], main.tensors[operator.outputs[0]]
        if weights.data is None:
            continue  # a product of two activations
        if weights.dtype not in _INT8:
            form = "float"
        elif source != index:
            form = "weight-only"
        else:
            form = "dynamic" if output.dtype == "float32" else "static"
        forms[output.name] = form
    return forms


def _islands(main: tflite.Subgraph) -> list[str]:
    """Operators that compute in float although something in the graph is quantized: where speed is lost."""
    quantized = any(
        tensor.dtype in _INT8 and tensor.data is None and tensor.quantization is not None for tensor in main.tensors
    )
    return [
        main.tensors[op.outputs[0]].name
        for op in main.operators
        if quantized and op.outputs and op.name not in _CROSSINGS and main.tensors[op.outputs[0]].dtype == "float32"
    ]


def precision_of(held: Mapping[str, int]) -> str:
    """What a file is, by most of its weights (dtype -> bytes); "" for one without any."""
    counts = {
        "int8": sum(held.get(name, 0) for name in _INT8),
        "fp16": held.get("float16", 0) // 2,
        "fp32": held.get("float32", 0) // 4,
    }
    return max(counts, key=lambda name: counts[name]) if any(counts.values()) else ""


def check(held: Mapping[str, int], left: Sequence[str], part: str, precision: str, form: str) -> None:
    """Refuse a file that is not what its precision says.

    Args:
        held: dtype -> bytes. left: layers in float that the recipe does not leave so.
        form: how an int8 part was to be quantized.

    Raises:
        ExportFailed: the precision is not that of most weights, or layers of a static file stayed float.
    """
    if precision_of(held) not in (precision, ""):
        raise ExportFailed(
            f"the part {part!r} was to be {precision}, but most of its weights are not: "
            f"{', '.join(f'{size} bytes of {name}' for name, size in held.items())}.",
            hint="Choose another precision with --precision, or keep the part in float with float_parts.",
        )
    if precision == "int8" and left:
        raise ExportFailed(
            f"the part {part!r} was to be int8 ({form}), but the quantizer left {len(left)} layer(s) in float: "
            f"{', '.join(left[:5])}.",
            hint="Name them in the recipe's float_layers if that is meant.",
        )


def microcontroller(content: bytes, graph: tflite.Graph, specs: Specs, feeds: Sequence[Feeds]) -> str:
    """How TensorFlow Lite Micro's answer compares with the reference kernels', for a file all in integers.

    Raises:
        ExportFailed: they differ by more than rounding, as they do where a runtime reads other weights.
    """
    ins, outs = sides_of(graph.subgraphs[0], specs)
    expected, worst = LitertRunner(content, 1, (ins.own, outs.own), reference=True), 0
    some = feeds[:: max(1, len(feeds) // _COMPARED)][:_COMPARED]
    calls = [ins.encode(feed[spec.name] for spec in ins.specs) for feed in some]
    if not calls:
        return "not compared: there was no input"
    with quiet() as written:
        try:
            answers = [MicroRunner(content, ins.own, outs.own)(call) for call in calls]
        except MissingExtra:
            return "not compared: the extra micro is not installed"
        except BadInput as exc:
            lines = [line for line in written().splitlines() if "Didn't find op" in line or "not supported" in line]
            return f"not supported: {lines[0].strip() if lines else exc.message}"
    for call, answer in zip(calls, answers, strict=True):
        for name, value in expected(call).items():
            worst = max(worst, int(np.abs(value.astype(np.int64) - answer[name].astype(np.int64)).max()))
    if worst > _ROUNDING:
        raise ExportFailed(
            f"TensorFlow Lite Micro gives values that differ by up to {worst} steps from the reference kernels'; "
            "rounding explains 2.",
            hint="This is a defect of edgekit: please report it with the model.",
        )
    return f"differs by at most {worst}" if worst else f"equal on {len(calls)} real inputs, bit for bit"
