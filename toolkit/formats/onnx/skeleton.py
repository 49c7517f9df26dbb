"""An .onnx file without its weights: as small to read as its graph, whatever its size.

A protobuf message is a row of fields, each a key (its number and how long it is) and a value. This walks the fields
that lead to tensors, skips over what tensors hold, and checks that every length ends inside its message: so a
truncated file is recognized before anything is parsed.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgekit.errors import BadInput

__all__ = ["MOST_BYTES", "skeleton"]

#: Protobuf's own limit for a message.
MOST_BYTES = 2**31 - 1
#: Message -> the fields that hold messages with tensors inside.
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {},
}
#: The fields of a tensor that hold its values.
_VALUES = {4, 5, 6, 7, 9, 10, 11}
#: Messages and values of at most this many bytes are kept as they are: scalars and shapes are worth knowing.
_SMALL = 2048
_MOST_DEPTH = 64


def skeleton(file: Path) -> bytes:
    """The bytes of `file` as ONNX, without the values of its large tensors.

    Raises:
        BadInput: it is empty, truncated, no protobuf message, or larger than a protobuf message can be.
    """
    size = file.stat().st_size
    if size == 0:
        raise BadInput(f"{file} is empty.", hint="Download or export it again.")
    if size > MOST_BYTES:
        raise BadInput(
            f"{file} has {size} bytes, and an .onnx file can have at most {MOST_BYTES} (2 GB).",
            hint="Larger weights are kept beside the file: onnx.save(model, file, save_as_external_data=True).",
        )
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        view = memoryview(content)
        try:
            return _stripped(view, "model", 0)
        except _Broken as exc:
            raise BadInput(
                f"{file} is not an ONNX file, or it is truncated: {exc}.", hint="Download or export it again."
            ) from None
        finally:
            view.release()


class _Broken(ValueError):
    """The message is not protobuf."""


def _stripped(view: memoryview, kind: str, depth: int) -> bytes:
    if depth > _MOST_DEPTH:
        raise _Broken(f"its graphs are nested more than {_MOST_DEPTH} deep")
    if kind != "model" and len(view) <= _SMALL:
        return bytes(view)
    out = bytearray()
    children = _CHILDREN[kind]
    for number, wire, start, first, last in _fields(view):
        if wire == 2 and number in children:
            with view[first:last] as inner:
                content = _stripped(inner, children[number], depth + 1)
            out += _varint(number << 3 | 2) + _varint(len(content)) + content
        elif kind != "tensor" or number not in _VALUES or last - first <= _SMALL:
            out += view[start:last]
    return bytes(out)


def _fields(view: memoryview) -> Iterator[tuple[int, int, int, int, int]]:
    """The fields of a message: number, wire type, where the key starts, where the value starts and ends."""
    position, size = 0, len(view)
    while position < size:
        start = position
        key, position = _read_varint(view, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _Broken(f"there is no field with the number 0 (byte {start})")
        first = position
        if wire == 0:
            _, position = _read_varint(view, position)
        elif wire == 1:
            position += 8
        elif wire == 2:
            length, first = _read_varint(view, position)
            position = first + length
        elif wire == 5:
            position += 4
        else:
            raise _Broken(f"there is no field of the wire type {wire} (byte {start})")
        if position > size:
            raise _Broken(f"a field ends {position - size} bytes after the end")
        yield number, wire, start, first, position


def _read_varint(view: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(view) or shift > 63:
            raise _Broken("a number has no end")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
