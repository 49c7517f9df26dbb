"""An ML Program interpreted: every operator in torch, values rounded to the type that the program gives them.

Sums are made in fp32 and rounded to fp16 once, as processors and GPUs do; the neural engine may keep fewer digits in
between. Operators: coremltools' `mil.ops.defs` (version 9), which is also their documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, np, torch
from edgekit.errors import BadInput
from edgekit.runtimes.coreml.interpreter.lists import Tensors
from edgekit.runtimes.coreml.interpreter.operators import OPERATORS
from edgekit.runtimes.coreml.interpreter.shapes import cast_like
from edgekit.runtimes.coreml.reader import WEIGHTED, operations, program_of

#: What an operator computes; and operator -> inputs that it gets in place of its own.
Value: TypeAlias = "torch.Tensor | Tensors"
Instead: TypeAlias = "Mapping[str, Mapping[str, torch.Tensor]]"
#: Operators that run blocks of others.
_CONTROL = ("cond", "while_loop")


class Program:
    """A saved program, ready to be called.

    Args:
        file: the .mlpackage.

    Attributes:
        unknown: an operator that is not known here, with the value that it computes: nothing can be run; "" for none.

    Raises:
        BadInput: it is damaged.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._function = program_of(file)
        except Exception as exc:  # whatever a damaged protobuf leads to
            raise BadInput(f"{file.name} holds no program that can be read: {exc}") from exc
        self._constants: dict[str, Any] = {}
        self.unknown = ""
        self._all = []
        for op in operations(self._function):
            if op.op_type == "const":
                self._constants[op.outputs[0].name] = _constant(op.outputs[0].val)
            elif op.op_type.startswith("constexpr_"):
                self._constants[op.outputs[0].name] = _constant(op.materialized_val_inference())
            else:
                self._all.append(op)
                if op.op_type not in OPERATORS and op.op_type not in _CONTROL:
                    self.unknown = self.unknown or f"{op.op_type} of {op.outputs[0].name}"
        self._steps = _steps(self._function)
        self._last = {value.name: i for i, op in enumerate(self._steps) for value in _inputs(op)}
        self._kept = {value.name for value in self._function.outputs}
        held = {op.name: op.inputs.get(WEIGHTED.get(op.op_type, "")) for op in self._all}
        self._held = {name: value.name for name, value in held.items() if value and value.name in self._constants}

    @property
    def layers(self) -> dict[str, torch.Tensor]:
        """Layer -> its weights, a tensor in the program's own layout. Of layers that share them, the first."""
        first = {held: name for name, held in reversed(self._held.items())}
        return {name: self._constants[held] for held, name in first.items()}

    def sharing(self, layer: str) -> list[str]:
        """The layers that share the weights of `layer`, itself among them."""
        return [name for name, held in self._held.items() if held == self._held[layer]]

    def __call__(
        self,
        feeds: Mapping[str, NDArray[Any]],
        instead: Instead = MappingProxyType({}),
    ) -> dict[str, NDArray[Any]]:
        """Name -> array of every output.

        Args:
            instead: operator -> constants that it gets in place of its own (see `constants`).
        """
        values = self._feed_values(feeds)
        self._run(values, self._steps, self._last, instead)
        return self._outputs(values)

    def record_values(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, Value]:
        """Every value that a call computes, for `again`."""
        values = self._feed_values(feeds)
        self._run(values, self._steps, {})
        return values

    def again(self, values: Mapping[str, Value], layer: str, other: Program) -> dict[str, NDArray[Any]]:
        """The outputs of a remembered call if `layer`, and those that share its weights, were as in `other`."""
        names, changed, steps = set(self.sharing(layer)), set[str](), []
        for op in self._steps:
            inside = {one.name for block in op.blocks for one in operations(block)}
            if op.name in names or names & inside or any(value.name in changed for value in _inputs(op)):
                steps.append(op)
                changed |= {value.name for value in op.outputs}
        new = dict(values)
        self._run(new, steps, {}, {name: other.constants(name) for name in names})
        return self._outputs(new)

    def constants(self, layer: str) -> dict[str, torch.Tensor]:
        """Its weights and its bias, by the names that its operator has for them."""
        [op] = [step for step in self._all if step.name == layer]
        held = {name: op.inputs.get(name) for name in (WEIGHTED.get(op.op_type, ""), "bias")}
        return {name: self._constants[v.name] for name, v in held.items() if v and v.name in self._constants}

    def _feed_values(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, Value]:
        return {
            name: cast_like(torch.from_numpy(feeds[name].copy()), held) for name, held in self._function.inputs.items()
        }

    def _outputs(self, values: Mapping[str, Value]) -> dict[str, NDArray[Any]]:
        """One that is a constant is among the values of the program, not among those of a call."""
        return {value.name: cast_like(self._value(value, values), value).numpy() for value in self._function.outputs}

    def _run(
        self,
        values: dict[str, Value],
        steps: Sequence[Any],
        last: Mapping[str, int],
        instead: Instead = MappingProxyType({}),
    ) -> None:
        """Compute `steps` into `values`; what `last` says is not needed any more is forgotten.

        Args:
            instead: operator -> inputs that it gets in place of its own.
        """
        with torch.inference_mode():
            for i, op in enumerate(steps):
                inputs = {name: self._value(value, values) for name, value in _arguments(op) if value is not None}
                if op.op_type in _CONTROL:
                    made = self._run_control_flow(op, inputs, values, instead)
                else:
                    made = OPERATORS[op.op_type]({**inputs, **instead.get(op.name, {})})
                made = made if isinstance(made, (list, tuple)) else (made,)
                for value, result in zip(op.outputs, made, strict=True):
                    values[value.name] = result if isinstance(result, Tensors) else cast_like(result, value)
                for value in _inputs(op):
                    if last.get(value.name) == i and value.name not in self._kept:
                        values.pop(value.name, None)

    def _run_control_flow(
        self,
        op: Any,
        inputs: Mapping[str, Any],
        values: dict[str, Value],
        instead: Instead,
    ) -> list[Any]:
        """What a branch or a loop gives; its blocks see all values around them."""

        def block(which: int, given: Sequence[Any] = ()) -> list[Any]:
            inner = op.blocks[which]
            values.update({one.name: value for one, value in zip(inner.inputs, given, strict=True)})
            self._run(values, _steps(inner), {}, instead)
            return [self._value(value, values) for value in inner.outputs]

        if op.op_type == "cond":
            return block(0 if bool(inputs["pred"]) else 1)
        state = list(inputs["loop_vars"])
        while bool(block(0, state)[0]):
            state = block(1, state)
        return state

    def _value(self, named: Any, values: Mapping[str, Value]) -> Any:
        if isinstance(named, (list, tuple)):
            return [self._value(value, values) for value in named]
        return values[named.name] if named.name in values else self._constants[named.name]


def _steps(block: Any) -> list[Any]:
    """The operators of a block that compute something."""
    return [op for op in block.operations if op.op_type != "const" and not op.op_type.startswith("constexpr_")]


def _arguments(op: Any) -> Iterator[tuple[str, Any]]:
    """The inputs of an operator by name; those that begin with an underscore are coremltools' own."""
    return ((name, value) for name, value in op.inputs.items() if not name.startswith("_"))


def _inputs(op: Any) -> Iterator[Any]:
    """The values that an operator takes, and those that its blocks do."""
    for _, named in _arguments(op):
        for value in named if isinstance(named, (list, tuple)) else [named]:
            if value is not None:
                yield value
    for block in op.blocks:
        yield from block.outputs
        for inner in block.operations:
            yield from _inputs(inner)


def _constant(value: Any) -> Any:
    """Arrays as tensors, halves as the same numbers in fp32, once for all calls; the rest as it is."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value.astype(np.float32) if value.dtype == np.float16 else value))
    return value.item() if isinstance(value, np.generic) else value
