"""TensorFlow's variables on disk (``variables.index`` and its data file): name -> array, every value checked.

The index is a LevelDB table: blocks of keys with shared prefixes; the value of a key is a small protocol buffer that
locates its array in the data file. Training data beside the weights (an optimizer's slots, the object
graph) is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.formats import protobuf
from edgekit.formats.protobuf import read_varint

INDEX, DATA = "variables.index", "variables.data-00000-of-00001"

MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER = 48
_LARGEST_INDEX = 64 << 20
#: The suffix of a variable's key; an optimizer slot's key also contains `_SLOT`.
_VALUE, _SLOT = "/.ATTRIBUTES/VARIABLE_VALUE", ".OPTIMIZER_SLOT"
#: TensorFlow's number of a dtype -> numpy's name.
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


def read(folder: Path) -> dict[str, NDArray[Any]]:
    """The variables in `folder`, read-only views of the mapped data file.

    Raises:
        BadInput: the index is damaged, or points outside the data.
    """
    index = folder / INDEX
    if index.stat().st_size > _LARGEST_INDEX:
        raise BadInput(f"{index.name} is too large to be an index of variables.")
    arrays: dict[str, NDArray[Any]] = {}
    try:
        data = np.memmap(folder / DATA, dtype=np.uint8, mode="r")
        for key, value in table(index.read_bytes()):
            name = key.decode()
            if not name.endswith(_VALUE) or _SLOT in name:
                continue
            array = _array(data, value)
            if array is not None:
                arrays[name.removesuffix(_VALUE)] = array
    except (IndexError, ValueError) as exc:
        raise BadInput(f"{index.name} is not a sound index of variables.", hint="Fetch the file again.") from exc
    return arrays


def _array(data: NDArray[Any], entry: bytes) -> NDArray[Any] | None:
    """The array of an entry; None if it holds no numbers (a text). Raises ValueError if it is not in the data."""
    facts = dict(fields(entry))
    kind, shard, begin, size = (_number(facts, field) for field in (1, 3, 4, 5))
    dtype = _DTYPES.get(kind)
    if dtype is None:
        return None
    dims = [dim for number, dim in fields(facts.get(2, b"")) if number == 2]
    shape = [_number(dict(fields(dim)), 1) for dim in dims]
    count = math.prod(shape)
    if shard or count * np.dtype(dtype).itemsize != size or begin + size > len(data):
        raise ValueError
    return np.frombuffer(data, dtype, count=count, offset=begin).reshape(shape)


def _number(facts: dict[int, int | bytes], field: int) -> int:
    value = facts.get(field, 0)
    if isinstance(value, bytes):
        raise ValueError
    return value


def table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every key and value of a table."""
    if len(data) < _FOOTER or data[-8:] != MAGIC:
        raise ValueError
    footer = data[-_FOOTER:]
    _, at = _handle(footer, 0)  # of a block about blocks, which these tables leave empty
    (where, _) = _handle(footer, at)
    for _, pointer in _block(data, *where):
        yield from _block(data, *_handle(pointer, 0)[0])


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """A block's offset and size; and the position after them."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; the byte after it is the compression, which must be 0."""
    block = data[offset : offset + size]
    if len(block) != size or size < 4 or data[offset + size]:
        raise ValueError
    end = size - 4 * (int.from_bytes(block[-4:], "little") + 1)
    key, at = b"", 0
    while at < end:
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or at + fresh + length > end:
            raise ValueError
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + length]
        at += fresh + length


def fields(message: int | bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field of a protocol buffer: a whole number, or bytes."""
    if not isinstance(message, bytes):
        raise ValueError
    for field in protobuf.fields(message):
        whole = field.wire == protobuf.NUMBER
        yield (
            field.number,
            protobuf.read_varint(message, field.first)[0] if whole else message[field.first : field.last],
        )
