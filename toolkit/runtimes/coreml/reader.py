"""A saved ML Program as coremltools reads it: its main function, its operators, and what edgekit writes beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.common.lazy import ct

#: Key of the user-defined metadata that holds the part's contract, as Core ML's own types are fewer than ours.
DESCRIPTION = "org.edgekit.part"
#: Our dtype -> the one that Core ML has for inputs and outputs; others are whole numbers. It has no double precision.
HELD = {"float32": "float32", "float16": "float16", "float64": "float32"}
#: Operators with weights, and the input that holds them.
WEIGHTED = {
    "conv": "weight", "conv_transpose": "weight", "linear": "weight", "matmul": "y", "lstm": "weight_ih", "gather": "x",
}  # fmt: skip


def axis_of_outputs(op: Any) -> int:
    """The axis of the outputs in the weights of an operator."""
    if op.op_type == "matmul":
        return -2 if op.inputs["transpose_y"].val else -1
    return 1 if op.op_type == "conv_transpose" else 0


def program_of(file: Path) -> Any:
    """The main function of a saved program. Raises whatever coremltools raises for a damaged one."""
    return function_of(ct.models.MLModel(str(file), skip_model_load=True))


def function_of(model: Any) -> Any:
    """The main function of a program in memory (coremltools' MLModel)."""
    from coremltools.converters.mil.frontend.milproto.load import load

    spec = model.get_spec()
    return load(spec, spec.specificationVersion, model.weights_dir).functions["main"]


def operations(block: Any) -> Iterator[Any]:
    """Every operator of a function, and of the branches and loops in it."""
    for op in block.operations:
        yield op
        for inner in op.blocks:
            yield from operations(inner)
