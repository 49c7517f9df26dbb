"""Protocol buffers without a schema: a message is a row of fields, each a key (its number and wire type) and a value.

Nothing is copied: a field says where its value lies. Every length is checked against the end of its message.
Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

#: Wire types: a whole number; bytes with their length before them.
NUMBER, LENGTH = 0, 2


class Broken(ValueError):
    """The bytes are no protocol buffer."""


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        wire: the wire type. start: where its key begins. first, last: the bytes of its value, without a length.
    """

    number: int
    wire: int
    start: int
    first: int
    last: int


def fields(view: memoryview | bytes) -> Iterator[Field]:
    """The fields of a message.

    Raises:
        Broken: it is truncated, or no message.
    """
    position, size = 0, len(view)
    while position < size:
        start = position
        key, position = read_varint(view, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Broken(f"there is no field with the number 0 (byte {start})")
        first = position
        if wire == NUMBER:
            _, position = read_varint(view, position)
        elif wire == 1:
            position += 8
        elif wire == LENGTH:
            length, first = read_varint(view, position)
            position = first + length
        elif wire == 5:
            position += 4
        else:
            raise Broken(f"there is no field of the wire type {wire} (byte {start})")
        if position > size:
            raise Broken(f"a field ends {position - size} bytes after the end")
        yield Field(number, wire, start, first, position)


def read_varint(view: memoryview | bytes, position: int) -> tuple[int, int]:
    """A whole number of up to 64 bits, and the position after it.

    Raises:
        Broken: it does not end.
    """
    value = shift = 0
    while True:
        if position >= len(view) or shift > 63:
            raise Broken("a number has no end")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def varint(value: int) -> bytes:
    """A whole number as it is written."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
