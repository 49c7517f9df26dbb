"""Smaller weights for a converted program: linear int8, palettes, int4 in blocks (coremltools.optimize, version 9)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from edgekit.exporters.coreml.grids import BLOCK, GROUP, palette_of
from edgekit.runtimes.coreml.reader import WEIGHTED, function_of, operations

__all__ = ["FEW", "FORMS", "Form", "compressed"]

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
    "grouped": Form(("int6", "int4"), 18, f"a palette for every {GROUP} output channels"),
    "palette": Form(("int6", "int4"), 16, "one palette a layer"),
    "block": Form(("int4",), 18, f"linear with a scale for every {BLOCK} weights of an output"),
}


def compressed(program: Any, precision: str, form: str, kept: Collection[str] = ()) -> Any:
    """The program with smaller weights; activations stay as they are.

    Args:
        form: of `FORMS`. kept: layers that lose too much: they stay float in int8. In the others they, and what cannot
            be divided into groups or blocks, become linear int8.
    """
    import coremltools.optimize.coreml as cto

    if precision in ("fp32", "fp16"):
        return program
    linear = cto.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=FEW - 1
    )
    if form == "linear":
        return cto.linear_quantize_weights(program, _weights(program, linear, kept))
    if form == "block":
        block = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=BLOCK, weight_threshold=FEW - 1
        )
        program = cto.linear_quantize_weights(program, _weights(program, block, kept))
    else:
        grouped = {"granularity": "per_grouped_channel", "group_size": GROUP} if form == "grouped" else {}
        table = partial(palette_of, int(precision[3:]))
        palette = cto.OpPalettizerConfig(mode="custom", lut_function=table, weight_threshold=FEW - 1, **grouped)
        program = cto.palettize_weights(program, _weights(program, palette, kept))
    return cto.linear_quantize_weights(program, _weights(program, linear, ()))


def _weights(program: Any, config: Any, kept: Collection[str]) -> Any:
    """`config` for the weights of layers only: tables that are added (positions, masks) are small, and no sum evens
    them out. What several operators share has one form: that of the layers among them, which are kept together.

    The weights of recurrent layers are computed from several constants, which coremltools does not compress.
    """
    import coremltools.optimize.coreml as cto

    chosen: dict[str, Any] = {}
    for op in operations(function_of(program)):
        held = op.inputs.get(WEIGHTED.get(op.op_type, "")) if op.op_type != "lstm" else None
        if held is not None and held.op is not None and held.op.op_type == "const":
            chosen[held.op.name] = None if op.name in kept else chosen.get(held.op.name, config)
    return cto.OptimizationConfig(op_name_configs=chosen)
