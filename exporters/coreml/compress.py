"""Smaller weights for a converted program: linear int8, palettes, int4 in blocks (coremltools.optimize, version 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from edgekit.exporters.coreml.grids import BLOCK, GROUPS, group_of, palette_of
from edgekit.runtimes.coreml.reader import WEIGHTED, axis_of_outputs, function_of, operations

#: Fewer weights than this stay in fp16: compressing them saves nothing and costs accuracy
#: (`edgekit.numerics.layers.SMALL`).
FEW = 2048


@dataclass(frozen=True)
class Form:
    """One way to store weights.

    Attributes:
        precisions: that have it. system: the first iOS that reads it. what: in words.
    """

    precisions: tuple[str, ...]
    system: int
    what: str


#: The first one of a precision that its system reads is the default.
FORMS = {
    "linear": Form(("int8",), 16, "linear with a scale for every output channel"),
    "grouped": Form(
        ("int6", "int4"), 18, f"a palette for every {GROUPS[4]} output channels, of 6 bits for {GROUPS[6]}"
    ),
    "palette": Form(("int6", "int4"), 16, "one palette a layer"),
    "block": Form(("int4",), 18, f"linear with a scale for every {BLOCK} weights of an output"),
}


def compress_weights(program: Any, precision: str, form: str, others: Mapping[str, str] = MappingProxyType({})) -> Any:
    """The program with smaller weights; activations stay as they are.

    Args:
        form: of `FORMS`. others: layer of another precision -> which, or "float". What is no layer, or cannot be
            divided into blocks, becomes linear int8.
    """
    import coremltools.optimize.coreml as cto

    if precision in ("fp32", "fp16"):
        return program
    for narrow in sorted({precision, *others.values()} - {"float", "int8"}):
        linear = form == "block" and narrow == "int4"
        configs = {
            name: _config(narrow, form, outputs)
            for name, (outputs, own) in _weights(program, precision, others).items()
            if own == narrow
        }
        make = cto.linear_quantize_weights if linear else cto.palettize_weights
        program = make(program, cto.OptimizationConfig(op_name_configs=configs))
    left = [name for name, (_, own) in _weights(program, precision, others).items() if own != "float"]
    configs = dict.fromkeys(left, _config("int8", form, 0))
    return cto.linear_quantize_weights(program, cto.OptimizationConfig(op_name_configs=configs))


def _weights(program: Any, precision: str, others: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """The constants that are weights of layers -> how many outputs they have, and what they are to become. Tables that
    are added (positions, masks) are small, and no sum evens them out. What several operators share has one form.

    The weights of recurrent layers are computed from several constants, which coremltools does not compress.
    """
    chosen: dict[str, tuple[int, str]] = {}
    for op in operations(function_of(program)):
        held = op.inputs.get(WEIGHTED.get(op.op_type, "")) if op.op_type != "lstm" else None
        if held is not None and held.op is not None and held.op.op_type == "const":
            chosen.setdefault(held.op.name, (held.shape[axis_of_outputs(op)], others.get(op.name, precision)))
    return chosen


def _config(precision: str, form: str, outputs: int) -> Any:
    """How coremltools makes weights with so many outputs smaller."""
    import coremltools.optimize.coreml as cto

    few = FEW - 1
    if precision == "int8":
        return cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=few
        )
    bits = int(precision[3:])
    if form == "block" and bits == 4:
        return cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=BLOCK, weight_threshold=few
        )
    size = group_of(bits, form, outputs)
    grouped = {"granularity": "per_grouped_channel", "group_size": size} if size else {}
    table = partial(palette_of, bits)
    return cto.OpPalettizerConfig(mode="custom", lut_function=table, weight_threshold=few, **grouped)
