"""An ML Program interpreted: every operator in torch, values rounded to the type that the program gives them.

Sums are made in fp32 and rounded to fp16 once, as processors and GPUs do; the neural engine may keep fewer digits in
between. Operators: coremltools' `mil.ops.defs` (version 9), which is also their documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edgekit.errors import BadInput
from edgekit.exporters.coreml.census import WEIGHTED, program_of
from edgekit.exporters.coreml.interpreter.operators import OPERATORS
from edgekit.exporters.coreml.interpreter.shapes import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Program"]

#: Operators whose mean output is the mean input through their weights, and the axis of their channels.
_CHANNELS = {"conv": 1, "linear": -1}


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
        self._last = {value.name: i for i, op in enumerate(self._steps) for value in _inputs(op)}
        self._kept = {value.name for value in self._function.outputs}
        held = {op.name: op.inputs.get(WEIGHTED.get(op.op_type, "")) for op in self._steps}
        self._held = {name: value.name for name, value in held.items() if value and value.name in self._constants}

    @property
    def layers(self) -> dict[str, Any]:
        """Layer -> its weights, a tensor in the program's own layout. Of layers that share them, the first."""
        first = {held: name for name, held in reversed(self._held.items())}
        return {name: self._constants[held] for held, name in first.items()}

    def sharing(self, layer: str) -> list[str]:
        """The layers that share the weights of `layer`, itself among them."""
        return [name for name, held in self._held.items() if held == self._held[layer]]

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Name -> array of every output."""
        values = self._feed_values(feeds)
        self._run(values, self._steps, self._last)
        return self._outputs(values)

    def remembered(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Every value that a call computes, for `again`."""
        values = self._feed_values(feeds)
        self._run(values, self._steps, {})
        return values

    def again(self, values: Mapping[str, Any], layer: str, other: Program) -> dict[str, NDArray[Any]]:
        """The outputs of a remembered call if `layer`, and those that share its weights, were as in `other`."""
        names, changed, steps = set(self.sharing(layer)), set[str](), []
        for op in self._steps:
            if op.name in names or any(value.name in changed for value in _inputs(op)):
                steps.append(op)
                changed |= {value.name for value in op.outputs}
        new = dict(values)
        self._run(new, steps, {}, {name: other.constants(name) for name in names})
        return self._outputs(new)

    def moved(self, feeds: Mapping[str, NDArray[Any]], other: Program) -> dict[str, Any]:
        """Layer with a bias -> what the weights that it has in `other` add to each channel, on the mean of a call."""
        import torch

        values, means = self.remembered(feeds), {}
        for op in self._steps:
            mine = self.constants(op.name)
            if op.op_type not in _CHANNELS or not {"weight", "bias"} <= mine.keys():
                continue
            change = other.constants(op.name)["weight"] - mine["weight"]
            if change.any():
                inputs = {name: self._value(value, values) for name, value in op.inputs.items() if value is not None}
                with torch.inference_mode():
                    made = OPERATORS[op.op_type]({**inputs, "weight": change, "bias": None})
                    channels = _CHANNELS[op.op_type] % made.ndim
                    means[op.name] = made.mean([axis for axis in range(made.ndim) if axis != channels])
        return means

    def constants(self, layer: str) -> dict[str, Any]:
        """Its weights and its bias, by the names that its operator has for them."""
        [op] = [step for step in self._steps if step.name == layer]
        held = {name: op.inputs.get(name) for name in (WEIGHTED.get(op.op_type, ""), "bias")}
        return {name: self._constants[v.name] for name, v in held.items() if v and v.name in self._constants}

    def _feed_values(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        import torch

        return {
            name: rounded(torch.from_numpy(feeds[name].copy()), held) for name, held in self._function.inputs.items()
        }

    def _outputs(self, values: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        return {value.name: values[value.name].numpy() for value in self._function.outputs}

    def _run(
        self,
        values: dict[str, Any],
        steps: Sequence[Any],
        last: Mapping[str, int],
        instead: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        """Compute `steps` into `values`; what `last` says is not needed any more is forgotten.

        Args:
            instead: operator -> inputs that it gets in place of its own.
        """
        import torch

        with torch.inference_mode():
            for i, op in enumerate(steps):
                inputs = {name: self._value(value, values) for name, value in op.inputs.items() if value is not None}
                made = OPERATORS[op.op_type]({**inputs, **instead.get(op.name, {})})
                made = made if isinstance(made, (list, tuple)) else (made,)
                for value, result in zip(op.outputs, made, strict=True):
                    values[value.name] = rounded(result, value)
                for value in _inputs(op):
                    if last.get(value.name) == i and value.name not in self._kept:
                        values.pop(value.name, None)

    def _value(self, named: Any, values: Mapping[str, Any]) -> Any:
        if isinstance(named, (list, tuple)):
            return [self._value(value, values) for value in named]
        return values[named.name] if named.name in values else self._constants[named.name]


def _inputs(op: Any) -> Iterator[Any]:
    """The values that an operator takes."""
    for named in op.inputs.values():
        for value in named if isinstance(named, (list, tuple)) else [named]:
            if value is not None:
                yield value


def _constant(value: Any) -> Any:
    """Arrays as tensors, halves as the same numbers in fp32, once for all calls; the rest as it is."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value.astype(np.float32) if value.dtype == np.float16 else value))
    return value.item() if isinstance(value, np.generic) else value
