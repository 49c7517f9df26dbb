"""Weights and biases of a converted program, exchanged for those of another that differs in nothing else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from edgekit.runtimes.coreml.reader import WEIGHTED, function_of, operations

__all__ = ["exchanged"]


def exchanged(program: Any, other: Any, layers: Collection[str]) -> Any:
    """`program`, whose operators `layers` have the weights and biases that they have in `other`."""
    if not layers:
        return program
    from coremltools.converters.mil.mil import Builder
    from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
    from coremltools.models.utils import _apply_graph_pass

    theirs = {op.name: op for op in operations(function_of(other)) if op.name in layers}

    class Exchange(AbstractGraphPass):  # type: ignore[misc]  # coremltools has no types
        def apply(self, prog: Any) -> None:
            block = prog.functions["main"]
            for op in [one for one in block.operations if one.name in theirs]:
                for name in (WEIGHTED[op.op_type], "bias"):
                    value = theirs[op.name].inputs.get(name)
                    if value is None or value.val is None or op.inputs.get(name) is None:
                        continue
                    with block:
                        new = Builder.const(val=value.val, name=f"{op.name}_{name}", before_op=op)
                    # Only of this layer: others may have the same constant.
                    op.set_inputs(**{name: new})

    return _apply_graph_pass(program, Exchange())
