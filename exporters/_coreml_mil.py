"""An ML Program interpreted: every operator in torch, values rounded to the type that the program gives them.

Sums are made in fp32 and rounded to fp16 once, as processors and GPUs do; the neural engine may keep fewer digits in
between. Operators: coremltools' `mil.ops.defs` (version 9), which is also their documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import BadInput
from edgekit.exporters._coreml_census import program_of
from edgekit.exporters._coreml_ops import OPERATORS
from edgekit.exporters._coreml_shapes import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Program"]


class Program:
    """A saved program, ready to be called.

    Args:
        file: the .mlpackage.

    Raises:
        BadInput: it is damaged, or holds an operator that is not known here; named with the value that it computes.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._function = program_of(file)
        except Exception as exc:  # whatever a damaged protobuf leads to
            raise BadInput(f"{file.name} holds no program that can be read: {exc}") from exc
        self._constants: dict[str, Any] = {}
        self._steps = []
        for op in self._function.operations:
            if op.op_type == "const":
                self._constants[op.outputs[0].name] = _constant(op.outputs[0].val)
            elif op.op_type.startswith("constexpr_"):
                self._constants[op.outputs[0].name] = _constant(op.materialized_val_inference())
            elif op.op_type in OPERATORS:
                self._steps.append(op)
            else:
                raise BadInput(f"{file.name}: the operator {op.op_type} of {op.outputs[0].name} is not known here.")
        self._last = {
            value.name: i
            for i, op in enumerate(self._steps)
            for given in op.inputs.values()
            for value in (given if isinstance(given, (list, tuple)) else [given])
            if value is not None
        }
        self._kept = {value.name for value in self._function.outputs}

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Name -> array of every output."""
        import torch

        values: dict[str, Any] = {}
        for name, held in self._function.inputs.items():
            values[name] = rounded(torch.from_numpy(feeds[name].copy()), held)
        with torch.inference_mode():
            for i, op in enumerate(self._steps):
                given = {name: self._value(value, values) for name, value in op.inputs.items() if value is not None}
                made = OPERATORS[op.op_type](given)
                made = made if isinstance(made, (list, tuple)) else (made,)
                for value, result in zip(op.outputs, made, strict=True):
                    values[value.name] = rounded(result, value)
                for value in [v for v in op.inputs.values() if v is not None and not isinstance(v, (list, tuple))]:
                    if self._last[value.name] == i and value.name not in self._kept:
                        values.pop(value.name, None)
        return {value.name: values[value.name].numpy() for value in self._function.outputs}

    def _value(self, given: Any, values: Mapping[str, Any]) -> Any:
        if isinstance(given, (list, tuple)):
            return [self._value(one, values) for one in given]
        return values[given.name] if given.name in values else self._constants[given.name]


def _constant(value: Any) -> Any:
    """Arrays as tensors; numbers, flags and words as they are."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    return value.item() if isinstance(value, np.generic) else value
