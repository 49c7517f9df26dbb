"""Any FlatBuffers file by its schema -> tables, with every offset and length bounded by the file.

https://flatbuffers.dev/internals/: a hostile file may point anywhere, and readers that are generated from schemas
follow. A schema here is: table -> its fields in order, each a name and a type. Types of numbers are those of
`struct` ("<I", or "<i1" where an absent one is 1). "text" and the name of a table are types, and so is ["..."], a
vector of one of them. A tuple of tables is a union, None being nothing. "place" is what is not read, or later by
`parse_table`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from edgekit.errors import BadInput

Type = str | list[str] | tuple[str | None, ...]
Schema = Mapping[str, Sequence[tuple[str, Type]]]

#: Tables nest at most so deep, and a file has at most so many: more is no program but an attack on our memory.
_DEEPEST, _MOST = 32, 2_000_000
#: A table without fields, at 4.
_EMPTY = struct.pack("<HHi", 4, 0, 4)


@dataclass(frozen=True)
class Table:
    """A table of a file, `kind` being its name in the schema. The schema says which of the methods reads a field.

    Absent fields are 0, "", [] or None. A union's value is the table that it holds.
    """

    kind: str
    fields: Mapping[str, object]

    def number(self, name: str) -> int:
        """A whole number."""
        return cast(int, self.fields[name])

    def real(self, name: str) -> float:
        """A floating-point number."""
        return cast(float, self.fields[name])

    def text(self, name: str) -> str:
        """A text."""
        return cast(str, self.fields[name])

    def data(self, name: str) -> bytes:
        """A vector of bytes."""
        return bytes(cast(Sequence[int], self.fields[name]))

    def numbers(self, name: str) -> list[int]:
        """A vector of whole numbers."""
        return list(cast(Sequence[int], self.fields[name]))

    def reals(self, name: str) -> list[float]:
        """A vector of floating-point numbers."""
        return cast(list[float], self.fields[name])

    def table(self, name: str) -> Table | None:
        """A table, or what a union holds; None where it is absent."""
        return cast(Table | None, self.fields[name])

    def tables(self, name: str) -> list[Table]:
        """A vector of tables."""
        return cast(list[Table], self.fields[name])

    def place(self, name: str) -> int | None:
        """Where a table lies that `parse_table` reads; None where it is absent."""
        return cast(int | None, self.fields[name])


def parse(content: bytes, schema: Schema, root: str, what: str, *, whole: bool = False) -> Table:
    """The table `root`, which the first offset of `content` points at.

    Args:
        whole: tables have no more fields than `schema` knows, for others that read the file would follow them.

    Raises:
        BadInput: an offset or a length leads out of the file, text is not UTF-8, or there are too many tables.
    """
    with _boundary(what):
        reader = _Reader(content, schema, what, whole)
        return reader.table(reader.follow(0), root, 0)


def parse_table(content: bytes, schema: Schema, name: str, place: int | None, what: str) -> Table:
    """A table at a "place" of `content`; None: as if it had no fields. Raises as `parse`."""
    if place is None:
        content, place = _EMPTY, 4
    with _boundary(what):
        return _Reader(content, schema, what, False).table(place, name, 0)


@contextmanager
def _boundary(what: str) -> Iterator[None]:
    try:
        yield
    except (struct.error, UnicodeDecodeError, OverflowError) as exc:
        raise BadInput(f"{what} is damaged: {exc}.", hint="Fetch or convert it again.") from exc


class _Reader:
    def __init__(self, content: bytes, schema: Schema, what: str, whole: bool) -> None:
        self._content, self._schema, self._what, self._whole, self._count = content, schema, what, whole, 0

    def table(self, place: int, name: str, depth: int) -> Table:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST:
            raise BadInput(f"{self._what} is damaged: tables without end.")
        fields = place - _at(self._content, "<i", place)
        if (size := _at(self._content, "<H", fields)) < 4:
            raise BadInput(f"{self._what} is damaged: a table has no fields at all.")
        out, slot = dict[str, object](), 0
        if self._whole and size > 4 + 2 * sum(1 + isinstance(kind, tuple) for _, kind in self._schema[name]):
            raise BadInput(f"{self._what} is damaged: a {name} has fields that nothing here knows.")
        for field, kind in self._schema[name]:
            where = self._where(place, fields, size, slot)
            if isinstance(kind, tuple):
                number = 0 if where is None else _at(self._content, "<B", where)
                out[field] = self._union(kind, number, self._where(place, fields, size, slot + 1), field, depth)
                slot += 2
            else:
                out[field] = self._value(kind, where, depth)
                slot += 1
        return Table(name, out)

    def _where(self, place: int, fields: int, size: int, slot: int) -> int | None:
        if 4 + 2 * slot + 2 > size:
            return None
        offset = _at(self._content, "<H", fields + 4 + 2 * slot)
        return place + offset if offset else None

    def _union(
        self, kinds: tuple[str | None, ...], number: int, where: int | None, field: str, depth: int
    ) -> Table | None:
        if number >= len(kinds):
            raise BadInput(f"{self._what} is damaged: {field} is of a kind that there is not.")
        kind = kinds[number]
        if kind is None:
            return None
        if where is None:
            raise BadInput(f"{self._what} is damaged: {field} has no value.")
        return self.table(self.follow(where), kind, depth + 1)

    def _value(self, kind: str | list[str], where: int | None, depth: int) -> object:
        if isinstance(kind, list):
            return [] if where is None else self._vector(kind[0], self.follow(where), depth)
        if kind[0] == "<":
            return int(kind[2:] or 0) if where is None else _at(self._content, kind[:2], where)
        if kind == "text":
            return "" if where is None else self._span(self.follow(where), 1)[0].decode()
        if where is None or kind == "place":
            return None if where is None else self.follow(where)
        return self.table(self.follow(where), kind, depth + 1)

    def _vector(self, kind: str, place: int, depth: int) -> object:
        if kind[0] == "<":
            data, length = self._span(place, struct.calcsize(kind))
            return data if kind == "<B" else list(struct.unpack(f"<{length}{kind[1]}", data))
        _, length = self._span(place, 4)
        ends = [place + 4 + 4 * i for i in range(length)]
        if kind == "text":
            return [self._span(self.follow(end), 1)[0].decode() for end in ends]
        return [self.table(self.follow(end), kind, depth + 1) for end in ends]

    def _span(self, place: int, width: int) -> tuple[bytes, int]:
        length = _at(self._content, "<I", place)
        data = self._content[place + 4 : place + 4 + length * width]
        if len(data) != length * width:
            raise BadInput(f"{self._what} is damaged: a list ends behind the file.")
        return data, length

    def follow(self, place: int) -> int:
        return place + int(_at(self._content, "<I", place))


def _at(content: bytes, form: str, place: int) -> Any:
    if place < 0:
        raise struct.error("an offset leads out of the file")
    return struct.unpack_from(form, content, place)[0]
