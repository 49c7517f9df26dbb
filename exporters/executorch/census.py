"""What a .pte really holds: XNNPACK's operators and the portable ones, bytes by dtype, and whether int8 is int8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgekit.core import Json
from edgekit.errors import ExportFailed
from edgekit.exporters.executorch.tidy import Graph, name_of
from edgekit.formats.executorch import reader
from edgekit.quantization.plan import LayerPlan

#: Operators that move nothing and compute nothing worth a name.
_FREE = ("getitem", "executorch_call_delegate", "alloc", "view", "sym_size")


def census(content: bytes, seen: Graph) -> dict[str, Json]:
    """Operators, bytes of constants by dtype, products by arithmetic (JSON-able).

    ``fallback`` is what XNNPACK does not compute: operator -> the layers that it is of.

    Args:
        seen: the graph that the program was written of; it has the names that a program has not.
    """
    program = reader.read(content)
    weighted = [one for delegate in program.delegates for one in delegate.weighted]
    return {
        "operators": dict(sorted(Counter(op for one in program.delegates for op in one.operators).items())),
        "portable_operators": dict(sorted(Counter(program.operators).items())),
        "fallback": _fallback(seen),
        "delegates": len(program.delegates),
        "bytes": dict(sorted(program.constants.items())),
        "memory": program.memory,
        "weighted_int8": sum(weights == "int8" for _, weights, _ in weighted),
        "weighted_float": sum(weights == "float32" for _, weights, _ in weighted),
        "float_activations": sum(weights == "int8" and given == "float32" for _, weights, given in weighted),
    }


def _fallback(seen: Graph) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in seen.graph.nodes:
        target = getattr(node.target, "__name__", str(node.target))
        if node.op != "call_function" or target.startswith(_FREE):
            continue
        places = found.setdefault(target, [])
        if (place := name_of(node)) not in places:
            places.append(place)
    return {operator: places[:20] for operator, places in sorted(found.items())}


def check(facts: Mapping[str, Any], part: str, precision: str, layers: Mapping[str, LayerPlan]) -> None:
    """Refuse a program that is not what its precision says.

    Args:
        layers: what became of every layer of an int8 part.

    Raises:
        ExportFailed: XNNPACK would compute other layers in int8 than were quantized, or none was.
    """
    if precision != "int8":
        if facts["weighted_int8"]:
            raise ExportFailed(f"the part {part!r} was to be {precision}, but has int8 weights: {facts['bytes']}.")
        return
    wanted = [name for name, layer in layers.items() if layer.form != "float"]
    if not wanted:
        why = next((layer.why for layer in layers.values()), "it has none")
        raise ExportFailed(
            f"no layer of the part {part!r} became int8: {why}.",
            hint="Choose --precision fp32, or keep the part in float with float_parts.",
        )
    if facts["weighted_int8"] < len(wanted) or facts["float_activations"]:
        raise ExportFailed(
            f"the part {part!r} was to have {len(wanted)} int8 layers, but XNNPACK computes only "
            f"{facts['weighted_int8'] - facts['float_activations']} of them in int8.",
            hint="Report this with the version of executorch: its rules for quantized graphs have changed.",
        )
