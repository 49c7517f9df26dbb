"""Tables in an ONNX file whose rows are looked up: they stay in the file, and a look-up reads what it needs.

onnxruntime copies every tensor of a file into memory. It packs a product's weights anew and lets the copy go, but a
table for Gather it keeps: a vocabulary of tens of megabytes, of which an answer reads some rows.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.formats.protobuf import LENGTH, NUMBER, Broken, Field, fields, read_varint

#: Smaller tables are not worth a page of memory each time a row is read.
_LEAST_BYTES = 1 << 20
#: ONNX's number of a dtype -> numpy's name.
_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 10: "<f2"}
_GRAPH, _NODE, _INITIALIZER = 7, 1, 5
_NODE_INPUT, _NODE_OPERATOR = 1, 4
_DIMS, _DTYPE, _NAME, _RAW = 1, 2, 8, 9


@dataclass
class _Tensor:
    name: str = ""
    dtype: int = 0
    shape: list[int] = field(default_factory=list)
    first: int = 0
    size: int = 0


class Tables:
    """The large tables of a file.

    Attributes:
        arrays: name -> the tensor as the file holds it, read-only, mapped.

    Raises:
        BadInput: the file is no ONNX file.
    """

    def __init__(self, file: Path) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        if file.stat().st_size < _LEAST_BYTES:
            return
        with file.open("rb") as stream:
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            with memoryview(self._map) as view:
                tensors = list(_looked_up(view))
        except (Broken, UnicodeDecodeError) as exc:
            raise BadInput(f"{file.name} is not an ONNX file, or it is truncated: {exc}.") from None
        for tensor in tensors:
            array = self._array(tensor)
            if array is not None:
                self.arrays[tensor.name] = array
        if not self.arrays:
            self._map.close()

    def _array(self, tensor: _Tensor) -> NDArray[Any] | None:
        """None if the values are not as the shape says, or do not lie where the dtype can be read in place."""
        dtype = np.dtype(_DTYPES[tensor.dtype])
        values = math.prod(tensor.shape)
        if tensor.first % dtype.itemsize or values * dtype.itemsize != tensor.size:
            return None
        return np.frombuffer(self._map, dtype, values, tensor.first).reshape(tensor.shape)

    def forget(self) -> None:
        """Give the pages back that were read so far; what is looked up later is read again."""
        if self.arrays and hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _looked_up(model: memoryview) -> Iterator[_Tensor]:
    """The large initializers of the main graph that a Gather reads."""
    for part in fields(model):
        if (part.number, part.wire) != (_GRAPH, LENGTH):
            continue
        graph, names, tensors = model[part.first : part.last], set(), []
        for item in fields(graph):
            if item.wire == LENGTH and item.number == _NODE:
                names |= _table_name(graph[item.first : item.last])
            elif item.number == _INITIALIZER and item.last - item.first >= _LEAST_BYTES:
                tensors.append(_tensor(graph, item, part.first))
        yield from (tensor for tensor in tensors if tensor.name in names and tensor.dtype in _DTYPES and tensor.size)


def _table_name(node: memoryview) -> set[str]:
    inputs, operator = [], b""
    for item in fields(node):
        if item.number == _NODE_INPUT:
            inputs.append(item)
        elif item.number == _NODE_OPERATOR:
            operator = bytes(node[item.first : item.last])
    return {_text(node, inputs[0])} if operator == b"Gather" and inputs else set()


def _tensor(graph: memoryview, whole: Field, before: int) -> _Tensor:
    """`before`: where the graph begins in the file."""
    view, tensor = graph[whole.first : whole.last], _Tensor()
    for item in fields(view):
        if item.number == _DIMS:
            tensor.shape += _numbers(view, item)
        elif (item.number, item.wire) == (_DTYPE, NUMBER):
            tensor.dtype = read_varint(view, item.first)[0]
        elif item.number == _NAME:
            tensor.name = _text(view, item)
        elif item.number == _RAW:
            tensor.first, tensor.size = before + whole.first + item.first, item.last - item.first
    return tensor


def _numbers(view: memoryview, item: Field) -> list[int]:
    """One number, or many packed into one field."""
    numbers, position = [], item.first
    while position < item.last:
        number, position = read_varint(view, position)
        numbers.append(number)
    return numbers


def _text(view: memoryview, item: Field) -> str:
    return bytes(view[item.first : item.last]).decode()
