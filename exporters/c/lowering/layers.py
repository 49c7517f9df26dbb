"""What the C generator works with: tensors in one arena, and layers that are one call each.

A lowering (`products.py`, `elementwise.py`, `moves.py`) turns an operator of a .tflite into layers, or into an alias
where no value changes. Numbers are prepared here as TensorFlow Lite Micro prepares them (double precision, then a Q31
multiplier and a shift), so that the kernels' integers are its integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import Unsupported
from edgekit.formats.tflite import Operator, Quantization, Subgraph, Tensor

SIZES = {"int8": 1, "uint8": 1, "int16": 2, "int32": 4, "float32": 4}

#: Codes of fused activations in the schema.
ACTIVATIONS = {0: "none", 1: "relu", 2: "relu n1 to 1", 3: "relu6"}


@dataclass(frozen=True)
class Array:
    """A constant in flash: a name (the layer's is put before it), a C type, values (flattened when written)."""

    name: str
    ctype: str
    values: NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """One call in the generated `invoke`.

    Attributes:
        title: operator and shapes, for the comment.
        inputs, outputs: tensors in the arena, by index.
        struct: C type of the layer's description ("" if it has none); fields: its members, as C text.
        call: statements; ``{layer} {in0} {in1} {out0} {scratch}`` and ``{NAME}`` of an array are filled in.
        scratch: bytes of working memory. overlay: the input whose place the first output may take, or None.
        macs: multiply-accumulates, for reports. ways: through its kernel, as bits (`layout.Packed`).
    """

    operator: Operator
    title: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    call: str
    struct: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    arrays: tuple[Array, ...] = ()
    scratch: int = 0
    overlay: int | None = None
    macs: int = 0
    ways: int = 0


class Lowering:
    """The state of one translation: the graph, which tensor stands for which, and the layers so far."""

    def __init__(self, graph: Subgraph, layout: str) -> None:
        self.graph, self.layout = graph, layout
        self.tensors: list[Tensor] = list(graph.tensors)
        self.alias: dict[int, int] = {}
        self.constant: dict[int, NDArray[Any]] = {}
        #: Name of a variable -> its tensor, which lives as long as the model.
        self.states: dict[str, int] = {}
        #: Tensor of a handle -> name of the variable.
        self.handles: dict[int, str] = {}
        self.layers: list[Layer] = []

    def root(self, index: int) -> int:
        """The tensor whose memory `index` uses."""
        while index in self.alias:
            index = self.alias[index]
        return index


class Step:
    """An operator while it is lowered: its tensors, what it refuses, and the layers that it becomes."""

    def __init__(self, lowering: Lowering, operator: Operator) -> None:
        self.lowering, self.operator = lowering, operator
        self.name, self.options, self.tensors = operator.name, operator.options, lowering.tensors

    def computed_input(self, position: int) -> int:
        """The index of an input that must be there."""
        index = self.operator.inputs[position]
        if index < 0:
            raise self.refusal("an input is absent")
        return index

    def constant(self, position: int, what: str) -> NDArray[Any]:
        """The values of a constant input."""
        index = self.operator.inputs[position] if position < len(self.operator.inputs) else -1
        data = self.tensors[index].data if index >= 0 else None
        if data is None:
            raise self.refusal(f"its {what} is computed, not constant")
        return data

    @property
    def source(self) -> Tensor:
        return self.tensors[self.computed_input(0)]

    @property
    def target(self) -> int:
        """The index of the output."""
        return self.operator.outputs[0]

    @property
    def output(self) -> Tensor:
        return self.tensors[self.target]

    def refusal(self, why: str, hint: str = "") -> Unsupported:
        """The error for an operator that cannot be translated, naming it and the layer."""
        return refuse(self.operator, self.tensors, why, hint)

    def check_int8(self, *indices: int) -> None:
        """Refuse tensors (by default the first input and the output) that are not int8 with one scale."""
        for tensor in self._tensors_at(indices):
            if tensor.dtype != "int8":
                kind = "a float network" if tensor.dtype.startswith("float") else f"{tensor.dtype} activations"
                raise self.refusal(f"{kind} ({tensor.name!r} is {tensor.dtype}); int8 is what is built")
            self._check_scale(tensor)

    def suffix(self, *indices: int) -> str:
        """What ends the names of the kernels for these tensors (by default the first input and the output):
        "" for int8, "_s16" for symmetric int16; refuse others."""
        tensors = self._tensors_at(indices)
        if not any(tensor.dtype == "int16" for tensor in tensors):
            self.check_int8(*indices)
            return ""
        for tensor in tensors:
            if tensor.dtype != "int16":
                raise self.refusal(f"it mixes int16 with {tensor.dtype} ({tensor.name!r})")
            self.check_symmetric(tensor)
        return "_s16"

    def check_symmetric(self, tensor: Tensor) -> None:
        """Refuse an int16 tensor that does not have one scale and the zero point 0."""
        self._check_scale(tensor)
        if zero_of(tensor):
            why = f"{tensor.name!r} has the zero point {zero_of(tensor)}, and int16 activations are symmetric"
            raise self.refusal(why, "Quantize it as TensorFlow Lite does for 16x8: zero point 0.")

    def check_same_scale(self) -> None:
        a, b = self.source, self.output
        if (scale_of(a), zero_of(a)) != (scale_of(b), zero_of(b)):
            raise self.refusal("its input and output have different scales")

    def clamp(self) -> tuple[int, int]:
        """The fused activation as a range of output values (CalculateActivationRangeQuantized)."""
        kind = self.options.get("activation", 0)
        scale, zero = float32(scale_of(self.output)), zero_of(self.output)
        least, most = (-32768, 32767) if self.output.dtype == "int16" else (-128, 127)

        def value(real: float) -> int:
            return zero + _round_half_away(float32(float32(real) / scale))

        if kind == 0:
            return least, most
        if kind == 1:
            return max(least, value(0.0)), most
        if kind == 2:
            return max(least, value(-1.0)), min(most, value(1.0))
        if kind == 3:
            return max(least, value(0.0)), min(most, value(6.0))
        raise self.refusal(f"fused activation {ACTIVATIONS.get(kind, kind)} is not built")

    def add(
        self,
        kernel: str,
        struct: str = "",
        fields: Mapping[str, object] | None = None,
        *,
        arguments: str = "&{layer}, {in0}, {out0}",
        inputs: Sequence[int] = (),
        computed: Sequence[int] | None = None,
        note: str = "",
        **rest: Any,
    ) -> None:
        """Add the call of a kernel.

        Args:
            fields: members of `struct`. inputs: by default the first. computed: those of them that lie in the arena, by
                default all. note: for the comment in C. rest: what else a `Layer` says.
        """
        inputs = inputs or [self.computed_input(0)]
        title = title_of(self.operator, self.tensors, inputs, note)
        members = {name: str(value) for name, value in (fields or {}).items()}
        call = f"ek_{kernel}({arguments});"
        read = tuple(inputs if computed is None else computed)
        self.lowering.layers.append(
            Layer(self.operator, title, read, self.operator.outputs, call, struct, members, **rest)
        )

    def _tensors_at(self, indices: Sequence[int]) -> list[Tensor]:
        return [self.tensors[index] for index in indices or (self.computed_input(0), self.target)]

    def _check_scale(self, tensor: Tensor) -> None:
        if tensor.quantization is None:
            raise self.refusal(f"{tensor.name!r} has no scale")
        if len(tensor.quantization.scale) != 1:
            raise self.refusal(f"the activation {tensor.name!r} has a scale per channel")


def refuse(operator: Operator, tensors: Sequence[Tensor], why: str, hint: str = "") -> Unsupported:
    """The error for an operator that cannot be translated, naming the operator and the layer."""
    name = tensors[operator.outputs[0]].name if operator.outputs else ""
    layer = f" (layer {name!r})" if name else ""
    return Unsupported(f"operator {operator.index}, {operator.name}{layer}: {why}.", hint=hint or QUANTIZE_HINT)


QUANTIZE_HINT = (
    "The C exporter takes networks of fixed shape with int8 weights and int8 or int16 activations: quantize it, with "
    "float input and output at most at the edges; docs/microcontrollers.md lists the operators."
)


def scale_of(tensor: Tensor) -> float:
    """A tensor's scale for all channels; its checks came before."""
    assert tensor.quantization is not None
    return tensor.quantization.scale[0]


def zero_of(tensor: Tensor) -> int:
    assert tensor.quantization is not None
    return tensor.quantization.zero_point[0]


def scales_of(quantization: Quantization, count: int) -> tuple[float, ...]:
    return quantization.scale if len(quantization.scale) == count else quantization.scale * count


def multiplier_of(real: float) -> tuple[int, int]:
    """`real` as (multiplier, shift): real = multiplier * 2^(shift - 31) (QuantizeMultiplier of TensorFlow Lite)."""
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = _round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    if shift < -31:
        return 0, 0
    return ((1 << 31) - 1, 30) if shift > 30 else (multiplier, shift)


def _round_half_away(value: float) -> int:
    """Nearest, ties away from zero: C's round()."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def float32(value: float) -> float:
    return float(np.float32(value))


def shape_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "1"


def title_of(operator: Operator, tensors: Sequence[Tensor], inputs: Sequence[int], note: str = "") -> str:
    """Such as ``CONV_2D 1x49x10x1 -> 1x25x5x64, 10x4 kernel``."""
    shapes = " + ".join(shape_text(tensors[i].shape) for i in inputs)
    outputs = ", ".join(shape_text(tensors[i].shape) for i in operator.outputs)
    return f"{operator.name} {shapes} -> {outputs}" + (f", {note}" if note else "")
