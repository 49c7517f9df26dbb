"""A .tflite file -> `Graph`, with every value in the file checked.

FlatBuffers (https://flatbuffers.dev/internals/) hold offsets that a hostile file may point anywhere; the published
Python reader follows them. This reader checks every offset and length against the file, and every vector against the
means.

Not here: what the operators compute, and buffers that lie outside of the flatbuffer, which runtimes for
microcontrollers do not read: such a file is refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.formats.tflite.schema import DTYPES, OPERATORS, OPTIONS, Field
from edgekit.formats.tflite.sparse import Dimension, dense

_IDENTIFIER = b"TFL3"
_MOST_TENSORS = 100_000
#: Places of a sparse tensor for each of its values: more would be memory that the file does not account for.
_MOST_ZEROS = 1000
#: Inputs that products cannot do without.
_LEAST_INPUTS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


@dataclass(frozen=True)
class Quantization:
    """real = scale * (value - zero_point), per tensor (a single scale and zero point) or along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class Tensor:
    """A tensor. `data` holds the values of a constant, else None; a scalar has an empty shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    quantization: Quantization | None
    data: NDArray[Any] | None

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Operator:
    """An operator: inputs and outputs are indices of tensors, -1 for an absent optional input."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Subgraph:
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Graph:
    """A whole model; `subgraphs[0]` runs, the others initialise state."""

    subgraphs: tuple[Subgraph, ...]


def read(content: bytes, *, dynamic: bool = False) -> Graph:
    """Parse the content of a .tflite file.

    Args:
        dynamic: whether tensors may have axes without a fixed size; their shapes are then those of an example.

    Raises:
        BadInput: not a .tflite, damaged, of an unknown dtype or operator code, or with buffers outside.
    """
    try:
        return _read(content, dynamic)
    except (struct.error, OverflowError, UnicodeDecodeError, RecursionError) as exc:
        raise BadInput(f"the .tflite is damaged: {exc}.", hint="Fetch or convert it again.") from exc


class _Table:
    """A FlatBuffers table at `place`; fields are read by number, absent ones are None."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content, self.place = content, place
        self.vtable = place - _number(content, "<i", place)
        self.fields = (_number(content, "<H", self.vtable) - 4) // 2
        if _number(content, "<H", self.vtable) < 4:
            raise BadInput("the .tflite is damaged: a table has no fields at all.")

    def where(self, field: int) -> int | None:
        if field >= self.fields:
            return None
        offset = _number(self.content, "<H", self.vtable + 4 + 2 * field)
        return self.place + offset if offset else None

    def number(self, field: int, form: str, default: float = 0) -> Any:
        place = self.where(field)
        return default if place is None else _number(self.content, form, place)

    def table(self, field: int) -> _Table | None:
        place = self.where(field)
        return None if place is None else _Table(self.content, _follow(self.content, place))

    def vector(self, field: int, form: str) -> tuple[Any, ...]:
        place, length = self._span(field, struct.calcsize(form))
        return struct.unpack_from(f"<{length}{form[-1]}", self.content, place) if length else ()

    def raw(self, field: int) -> bytes | None:
        if self.where(field) is None:
            return None
        place, length = self._span(field, 1)
        return self.content[place : place + length]

    def text(self, field: int) -> str:
        return (self.raw(field) or b"").decode("utf-8", "replace")

    def tables(self, field: int) -> list[_Table]:
        place, length = self._span(field, 4)
        return [_Table(self.content, _follow(self.content, place + 4 * i)) for i in range(length)]

    def _span(self, field: int, size: int) -> tuple[int, int]:
        """Start and length of a vector, known to lie inside of the file."""
        at = self.where(field)
        if at is None:
            return 0, 0
        place = _follow(self.content, at)
        length = _number(self.content, "<I", place)
        if place + 4 + length * size > len(self.content):
            raise BadInput(f"the .tflite is damaged: a vector of {length} items reaches past its end.")
        return place + 4, length


def _number(content: bytes, form: str, place: int) -> Any:
    if place < 0:
        raise BadInput("the .tflite is damaged: an offset points before its start.")
    return struct.unpack_from(form, content, place)[0]


def _follow(content: bytes, place: int) -> int:
    return place + int(_number(content, "<I", place))


def _read(content: bytes, dynamic: bool) -> Graph:
    if content[4:8] != _IDENTIFIER:
        raise BadInput("this is not a .tflite file: it lacks the identifier TFL3.")
    model = _Table(content, _follow(content, 0))
    version = model.number(0, "<I")
    if version != 3:
        raise BadInput(f"the .tflite has schema version {version}; only version 3 exists.")
    codes = [_operator_name(code) for code in model.tables(1)]
    buffers = [_buffer(table) for table in model.tables(4)]
    subgraphs = tuple(_subgraph(table, codes, buffers, dynamic) for table in model.tables(2))
    if not subgraphs:
        raise BadInput("the .tflite holds no graph.")
    return Graph(subgraphs)


def _operator_name(code: _Table) -> str:
    # Files from before 2020 have only the old one-byte field; newer ones fill both where they can.
    number = max(int(code.number(3, "<i")), int(code.number(0, "<b")))
    if number == 32:
        return f"CUSTOM:{code.text(1)}"
    return OPERATORS.get(number, f"operator {number}")


def _buffer(table: _Table) -> bytes:
    if table.number(1, "<Q") > 1 or table.number(2, "<Q") > 1:
        raise BadInput(
            "the .tflite stores tensors outside of its flatbuffer, where runtimes for microcontrollers read garbage.",
            hint="Convert it again with the buffers inside (`edgekit export --runtime litert` writes such files).",
        )
    return table.raw(0) or b""


def _subgraph(table: _Table, codes: list[str], buffers: list[bytes], dynamic: bool) -> Subgraph:
    tensors = tuple(_tensor(item, buffers, dynamic) for item in table.tables(0))
    if len(tensors) > _MOST_TENSORS:
        raise BadInput(f"the .tflite has {len(tensors)} tensors; no real model has so many.")
    count = len(tensors)
    operators = tuple(_operator(i, item, codes, count) for i, item in enumerate(table.tables(3)))
    return Subgraph(
        tensors,
        _indices(table.vector(1, "<i"), count, "an input"),
        _indices(table.vector(2, "<i"), count, "an output"),
        operators,
    )


def _indices(indices: tuple[int, ...], count: int, what: str, least: int = 0) -> tuple[int, ...]:
    for index in indices:
        if not least <= index < count:
            raise BadInput(f"the .tflite is damaged: {what} is tensor {index} of {count}.")
    return indices


def _operator(index: int, table: _Table, codes: list[str], count: int) -> Operator:
    code = int(table.number(0, "<I"))
    if code >= len(codes):
        raise BadInput(f"the .tflite is damaged: operator {index} has code {code} of {len(codes)}.")
    name = codes[code]
    inputs = _indices(table.vector(1, "<i"), count, f"an input of operator {index} ({name})", least=-1)
    outputs = _indices(table.vector(2, "<i"), count, f"an output of operator {index} ({name})")
    least = _LEAST_INPUTS.get(name, 0)
    if least and (len(inputs) < least or not outputs or min(inputs[:least]) < 0):
        raise BadInput(f"the .tflite is damaged: operator {index} ({name}) lacks an input or an output.")
    options = table.table(4)
    return Operator(index, name, inputs, outputs, {f.name: _option(options, f) for f in OPTIONS.get(name, ())})


def _option(table: _Table | None, field: Field) -> Any:
    if field.form == "ints":
        return table.vector(field.number, "<i") if table else ()
    if field.form == "text":
        return table.text(field.number) if table else ""
    return table.number(field.number, field.form, field.default) if table else field.default


def _tensor(table: _Table, buffers: list[bytes], dynamic: bool) -> Tensor:
    name = table.text(3)
    code = int(table.number(1, "<b"))
    dtype = DTYPES.get(code, f"type {code}")
    shape = table.vector(0, "<i")
    signature = table.vector(7, "<i")
    # A free batch is common and harmless: what is made here has batch 1.
    fixed = signature[1:] if shape[:1] == (1,) else signature
    if any(size < (-1 if dynamic else 1) for size in (*shape, *fixed)):
        raise BadInput(
            f"the tensor {name!r} has a dynamic or empty shape {list(signature or shape)}.",
            hint="Convert the model with fixed shapes and batch 1.",
        )
    buffer = int(table.number(2, "<I"))
    if buffer >= len(buffers):
        raise BadInput(f"the .tflite is damaged: {name!r} is in buffer {buffer} of {len(buffers)}.")
    data = None
    sparsity = table.table(6)
    if buffers[buffer] and dtype in _NUMPY and sparsity is not None:
        data = _dense(np.frombuffer(buffers[buffer], _NUMPY[dtype]), shape, sparsity)
    elif buffers[buffer] and dtype in _NUMPY:
        expected = math.prod(shape) * np.dtype(_NUMPY[dtype]).itemsize
        if len(buffers[buffer]) != expected:
            held = len(buffers[buffer])
            raise BadInput(f"the tensor {name!r} of shape {list(shape)} holds {held} bytes of {expected}.")
        data = np.frombuffer(buffers[buffer], _NUMPY[dtype]).reshape(shape)
    elif buffers[buffer]:
        raise BadInput(f"the constant {name!r} has the dtype {dtype}, which cannot be read.")
    return Tensor(name, dtype, shape, _quantization(name, dtype, table.table(4), shape), data)


def _dense(values: NDArray[Any], shape: tuple[int, ...], table: _Table) -> NDArray[Any]:
    """A constant that is stored without its zeros."""
    dimensions = []
    for item in table.tables(2):
        if int(item.number(0, "<b")) == 0:
            dimensions.append(Dimension(int(item.number(1, "<i"))))
        else:
            dimensions.append(Dimension(0, _numbers(item, 2), _numbers(item, 4), compressed=True))
    if not values.size <= math.prod(shape) <= _MOST_ZEROS * values.size:
        raise BadInput(f"the .tflite is damaged: {values.size} values for a sparse tensor of shape {list(shape)}.")
    return dense(values, shape, table.vector(0, "<i"), table.vector(1, "<i"), dimensions)


def _numbers(table: _Table, field: int) -> tuple[int, ...]:
    """A vector of 32, 16 or 8 bits, by the kind in the field before it."""
    form = {1: "<i", 2: "<H", 3: "<B"}.get(int(table.number(field, "<B")))
    held = table.table(field + 1)
    return held.vector(0, form) if form and held is not None else ()


_NUMPY = {
    "int8": "<i1", "uint8": "<u1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float32": "<f4", "float16": "<f2",
    "bool": "?",
}  # fmt: skip


#: Least and greatest zero point of a dtype; others are held in int32.
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


def _quantization(name: str, dtype: str, table: _Table | None, shape: tuple[int, ...]) -> Quantization | None:
    if table is None or not (scale := table.vector(2, "<f")):
        return None
    zero_point = table.vector(3, "<q") or (0,) * len(scale)
    axis = int(table.number(6, "<i"))
    if any(not math.isfinite(value) or value <= 0 for value in scale):
        raise BadInput(f"the tensor {name!r} has a scale that is zero, negative or not a number.")
    least, most = _ZERO_POINTS.get(dtype, (-(2**31), 2**31 - 1))
    if any(not least <= value <= most for value in zero_point):
        raise BadInput(f"the tensor {name!r} has a zero point that {dtype} does not hold.")
    if len(zero_point) not in (1, len(scale)):
        raise BadInput(f"the tensor {name!r} has {len(scale)} scales and {len(zero_point)} zero points.")
    if len(scale) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scale)):
        raise BadInput(f"the tensor {name!r} of shape {list(shape)} has {len(scale)} scales along axis {axis}.")
    zero_point = zero_point if len(zero_point) == len(scale) else zero_point * len(scale)
    return Quantization(tuple(scale), zero_point, axis)
