"""A .tflite file -> `Graph`, with every value in the file checked.

Offsets and lengths are checked against the file (`edgekit.formats.flatbuffer`), indices, shapes and vectors against
what they mean.

Not here: what the operators compute, and buffers that lie outside of the flatbuffer, which runtimes for
microcontrollers do not read: such a file is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.formats.flatbuffer import Table, parse, parse_table
from edgekit.formats.tflite.schema import DTYPES, MODEL, OPERATORS, OPTIONS
from edgekit.formats.tflite.sparse import Dimension, dense

_IDENTIFIER, _WHAT = b"TFL3", "the .tflite"
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
    if content[4:8] != _IDENTIFIER:
        raise BadInput("this is not a .tflite file: it lacks the identifier TFL3.")
    model = parse(content, MODEL, "Model", _WHAT)
    if model.number("version") != 3:
        raise BadInput(f"the .tflite has schema version {model.number('version')}; only version 3 exists.")
    codes = [_operator_name(code) for code in model.tables("operator_codes")]
    buffers = [_buffer(table) for table in model.tables("buffers")]
    subgraphs = tuple(_subgraph(content, table, codes, buffers, dynamic) for table in model.tables("subgraphs"))
    if not subgraphs:
        raise BadInput("the .tflite holds no graph.")
    return Graph(subgraphs)


def _operator_name(code: Table) -> str:
    # Files from before 2020 have only the old one-byte field; newer ones fill both where they can.
    number = max(code.number("code"), code.number("deprecated_code"))
    if number == 32:
        return f"CUSTOM:{_text(code.data('custom_code'))}"
    return OPERATORS.get(number, f"operator {number}")


def _text(content: bytes | list[int]) -> str:
    return bytes(content).decode("utf-8", "replace")


def _buffer(table: Table) -> bytes:
    if table.number("offset") > 1 or table.number("size") > 1:
        raise BadInput(
            "the .tflite stores tensors outside of its flatbuffer, where runtimes for microcontrollers read garbage.",
            hint="Convert it again with the buffers inside (`edgekit export --runtime litert` writes such files).",
        )
    return table.data("data")


def _subgraph(content: bytes, table: Table, codes: list[str], buffers: list[bytes], dynamic: bool) -> Subgraph:
    tensors = tuple(_tensor(item, buffers, dynamic) for item in table.tables("tensors"))
    if len(tensors) > _MOST_TENSORS:
        raise BadInput(f"the .tflite has {len(tensors)} tensors; no real model has so many.")
    count = len(tensors)
    return Subgraph(
        tensors,
        _indices(table.numbers("inputs"), count, "an input"),
        _indices(table.numbers("outputs"), count, "an output"),
        tuple(_operator(content, i, item, codes, count) for i, item in enumerate(table.tables("operators"))),
    )


def _indices(indices: Sequence[int], count: int, what: str, least: int = 0) -> tuple[int, ...]:
    for index in indices:
        if not least <= index < count:
            raise BadInput(f"the .tflite is damaged: {what} is tensor {index} of {count}.")
    return tuple(indices)


def _operator(content: bytes, index: int, table: Table, codes: list[str], count: int) -> Operator:
    code = table.number("code")
    if code >= len(codes):
        raise BadInput(f"the .tflite is damaged: operator {index} has code {code} of {len(codes)}.")
    name = codes[code]
    inputs = _indices(table.numbers("inputs"), count, f"an input of operator {index} ({name})", least=-1)
    outputs = _indices(table.numbers("outputs"), count, f"an output of operator {index} ({name})")
    least = _LEAST_INPUTS.get(name, 0)
    if least and (len(inputs) < least or not outputs or min(inputs[:least]) < 0):
        raise BadInput(f"the .tflite is damaged: operator {index} ({name}) lacks an input or an output.")
    fields = parse_table(content, OPTIONS, name, table.place("options"), _WHAT).fields if name in OPTIONS else {}
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    return Operator(index, name, inputs, outputs, options)


def _tensor(table: Table, buffers: list[bytes], dynamic: bool) -> Tensor:
    name = _text(table.data("name"))
    dtype = DTYPES.get(table.number("type"), f"type {table.number('type')}")
    shape, signature = tuple(table.numbers("shape")), tuple(table.numbers("signature"))
    # A free batch is common and harmless: what is made here has batch 1.
    fixed = signature[1:] if shape[:1] == (1,) else signature
    if any(size < (-1 if dynamic else 1) for size in (*shape, *fixed)):
        raise BadInput(
            f"the tensor {name!r} has a dynamic or empty shape {list(signature or shape)}.",
            hint="Convert the model with fixed shapes and batch 1.",
        )
    buffer = table.number("buffer")
    if buffer >= len(buffers):
        raise BadInput(f"the .tflite is damaged: {name!r} is in buffer {buffer} of {len(buffers)}.")
    data = None
    sparsity = table.table("sparsity")
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
    return Tensor(name, dtype, shape, _quantization(name, dtype, table.table("quantization"), shape), data)


def _dense(values: NDArray[Any], shape: tuple[int, ...], table: Table) -> NDArray[Any]:
    """A constant that is stored without its zeros."""
    dimensions = [
        Dimension(0, _numbers(item.table("segments")), _numbers(item.table("indices")), compressed=True)
        if item.number("format")
        else Dimension(item.number("size"))
        for item in table.tables("dimensions")
    ]
    if not values.size <= math.prod(shape) <= _MOST_ZEROS * values.size:
        raise BadInput(f"the .tflite is damaged: {values.size} values for a sparse tensor of shape {list(shape)}.")
    return dense(values, shape, tuple(table.numbers("order")), tuple(table.numbers("blocks")), dimensions)


def _numbers(vector: Table | None) -> tuple[int, ...]:
    return () if vector is None else tuple(vector.numbers("values"))


_NUMPY = {
    "int8": "<i1", "uint8": "<u1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float32": "<f4", "float16": "<f2",
    "bool": "?",
}  # fmt: skip


#: Least and greatest zero point of a dtype; others are held in int32.
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


def _quantization(name: str, dtype: str, table: Table | None, shape: tuple[int, ...]) -> Quantization | None:
    if table is None or not (scale := table.reals("scale")):
        return None
    zero_point = tuple(table.numbers("zero_point")) or (0,) * len(scale)
    axis = table.number("axis")
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
