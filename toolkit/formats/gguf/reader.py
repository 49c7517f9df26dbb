"""A .gguf file -> `Gguf`: its metadata and the places of its tensors, with every value in the file checked.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. llama.cpp aborts the process on some damaged files
and allocates what a length field says; so no file reaches it that was not read here first. The weights themselves are
not read: the cost is that of the header, whatever the size of the file. So a file elsewhere is read by its start alone.

Not here: what the tensors mean, and big-endian files, which are refused.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import BadInput
from edgekit.formats.gguf.types import ARRAY, FILE_TYPES, GGML_TYPES, SCALARS, STRING

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
#: More than any real file has. A file with more is damaged or hostile.
_MOST_TENSORS, _MOST_KEYS, _LONGEST_KEY, _LONGEST_TEXT = 1 << 16, 1 << 16, 1 << 12, 1 << 24
#: ggml's own bounds (GGML_MAX_NAME with its zero, GGML_MAX_DIMS).
_LONGEST_NAME, _MOST_AXES = 63, 4
#: Longer arrays (a vocabulary) are checked and counted, not kept.
_KEPT = 512
#: Bytes of a file's start that are asked for at first (then four times as many), and at most.
_START, _LONGEST_START = 1 << 20, 1 << 26
_AGAIN = "Fetch or convert it again."


@dataclass(frozen=True)
class LongArray:
    """A metadata array that is too long to keep: its element type (struct's letter, or "string") and length."""

    kind: str
    count: int


@dataclass(frozen=True)
class GgufTensor:
    """The place of a tensor. `shape` is ggml's: the row's length first. `offset` counts from the start of the file."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int
    size: int

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Gguf:
    """A file's header. `metadata` holds numbers, strings, short lists of them, and `LongArray`."""

    version: int
    metadata: Mapping[str, Any]
    tensors: tuple[GgufTensor, ...]
    size: int

    @property
    def architecture(self) -> str:
        """``general.architecture``, such as "llama"; empty where there is none."""
        value = self.metadata.get("general.architecture", "")
        return value if isinstance(value, str) else ""

    @property
    def plain(self) -> dict[str, Any]:
        """The metadata without its long arrays: what fits into JSON."""
        return {key: value for key, value in self.metadata.items() if not isinstance(value, LongArray)}

    @property
    def file_type(self) -> str:
        """``general.file_type`` as a precision ("q4_k_m"); empty where it is absent or unknown."""
        number = self.metadata.get("general.file_type")
        return next((name for name, known in FILE_TYPES.items() if known == number), "")

    @property
    def context_length(self) -> int:
        """What the model was trained for, in tokens; 0 where the file does not say."""
        value = self.metadata.get(f"{self.architecture}.context_length", 0)
        return value if isinstance(value, int) else 0


@dataclass(frozen=True)
class Census:
    """What a file's weights are: bytes by ggml type, largest first; number of weights; bits per weight over all."""

    bytes: Mapping[str, int]
    parameters: int
    bits_per_weight: float


def census(file: Gguf) -> Census:
    """Count what the tensors of `file` are made of."""
    held: Counter[str] = Counter()
    for tensor in file.tensors:
        held[tensor.type] += tensor.size
    parameters = sum(tensor.count for tensor in file.tensors)
    return Census(dict(held.most_common()), parameters, 8 * held.total() / parameters if parameters else 0.0)


def read(path: Path) -> Gguf:
    """Parse the header of the .gguf at `path`.

    Raises:
        BadInput: not a .gguf, damaged or cut off anywhere, of an unknown version or tensor type, or with lengths or
            offsets that point outside.
    """
    size = path.stat().st_size
    if size < 24:
        raise BadInput(f"{path.name} is not a .gguf file: it has {size} bytes.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _read(_Cursor(content, path.name, size))


def read_start(part: Callable[[int, int], bytes], name: str, size: int) -> Gguf:
    """Parse the header of a .gguf that is elsewhere.

    Args:
        part: (start, length) -> the bytes there. name, size: of the file; the size in bytes.

    Raises:
        BadInput: as `read`; or a header that is longer than any real one. What `part` raises.
    """
    content = b""
    while True:
        wanted = min(size, max(_START, 4 * len(content)))
        content += part(len(content), wanted - len(content))
        try:
            return _read(_Cursor(content, name, size))
        except _Cut as exc:
            if len(content) >= min(size, _LONGEST_START):
                raise BadInput(f"{name} is damaged: its header does not end.", hint=_AGAIN) from exc


class _Cut(Exception):
    """The header goes on behind the bytes that are here."""


class _Cursor:
    """A place in the file that only moves forward, and never past the end. `size`: of the whole file, in bytes, of
    which `content` may be the start alone.
    """

    def __init__(self, content: mmap.mmap | bytes, name: str, size: int) -> None:
        self.content, self.name, self.size, self.place = content, name, size, 0

    def number(self, letter: str) -> Any:
        return self.numbers(letter, 1)[0]

    def numbers(self, letter: str, count: int) -> list[Any]:
        place = self.skip(count * struct.calcsize("<" + letter))
        return list(struct.unpack_from(f"<{count}{letter}", self.content, place))

    def skip(self, length: int) -> int:
        """Move on by `length` bytes, which must be there; returns where they start."""
        start = self.place
        if length > self.size - start:
            raise self.bad(f"something of {length} bytes reaches past its end")
        if length > len(self.content) - start:
            raise _Cut
        self.place += length
        return start

    def text(self, most: int, what: str) -> str:
        length = self.number("Q")
        if length > most:
            raise self.bad(f"{what} has {length} bytes, more than any real one")
        start = self.skip(length)
        try:
            return self.content[start : start + length].decode("utf-8")
        except UnicodeDecodeError as exc:
            raise self.bad(f"{what} is not UTF-8") from exc

    def bad(self, why: str) -> BadInput:
        return BadInput(f"{self.name} is damaged: {why}.", hint=_AGAIN)


def _read(file: _Cursor) -> Gguf:
    if file.content[:4] != _MAGIC:
        raise BadInput(f"{file.name} is not a .gguf file: it does not start with GGUF.")
    file.place = 4
    version = file.number("I")
    if version not in _VERSIONS:
        big = version & 0xFFFF == 0
        what = "big-endian" if big else f"of GGUF version {version}"
        raise BadInput(
            f"{file.name} is {what}; this reader knows versions 2 and 3, little-endian.",
            hint="Convert it again with a current llama.cpp." if version < 2 or big else "See whether edgekit is old.",
        )
    tensors, keys = file.number("Q"), file.number("Q")
    if tensors > _MOST_TENSORS or keys > _MOST_KEYS:
        raise file.bad(f"it claims to have {tensors} tensors and {keys} metadata entries")
    metadata: dict[str, Any] = {}
    for _ in range(keys):
        key = file.text(_LONGEST_KEY, "a metadata key")
        if key in metadata:
            raise file.bad(f"the metadata entry {key!r} is there twice")
        metadata[key] = _value(file, key)
    infos = [_tensor(file) for _ in range(tensors)]
    names = Counter(tensor.name for tensor in infos)
    if names and names.most_common(1)[0][1] > 1:
        raise file.bad(f"the tensor {names.most_common(1)[0][0]!r} is there twice")
    return Gguf(version, metadata, _locate_tensors(file, infos, _alignment(file, metadata)), file.size)


def _value(file: _Cursor, key: str) -> Any:
    kind = file.number("I")
    if kind in SCALARS:
        return file.number(SCALARS[kind])
    if kind == STRING:
        return file.text(_LONGEST_TEXT, f"the value of {key!r}")
    if kind != ARRAY:
        raise file.bad(f"{key!r} has a value of the unknown type {kind}")
    kind, count = file.number("I"), file.number("Q")
    if kind in SCALARS:
        if count <= _KEPT:
            return file.numbers(SCALARS[kind], count)
        file.skip(count * struct.calcsize("<" + SCALARS[kind]))
        return LongArray(SCALARS[kind], count)
    if kind != STRING:
        raise file.bad(f"{key!r} is an array of the unknown type {kind}")
    if count * 8 > file.size - file.place:  # each has a length of 8 bytes
        raise file.bad(f"{key!r} claims to have {count} strings")
    if count <= _KEPT:
        return [file.text(_LONGEST_TEXT, f"a string of {key!r}") for _ in range(count)]
    for _ in range(count):
        file.skip(file.number("Q"))
    return LongArray("string", count)


def _alignment(file: _Cursor, metadata: Mapping[str, Any]) -> int:
    value = metadata.get("general.alignment", 32)
    if not isinstance(value, int) or not 8 <= value <= 1 << 20 or value & (value - 1):
        raise file.bad(f"its alignment is {value!r}, which is not a power of two from 8 on")
    return value


def _tensor(file: _Cursor) -> GgufTensor:
    """One entry of the table of tensors; `offset` as the file has it, from the start of the data."""
    name = file.text(_LONGEST_NAME, "a tensor's name")
    axes = file.number("I")
    if not 1 <= axes <= _MOST_AXES:
        raise file.bad(f"the tensor {name!r} has {axes} axes")
    shape = tuple(file.numbers("Q", axes))
    number = file.number("I")
    if number not in GGML_TYPES:
        raise BadInput(
            f"the tensor {name!r} in {file.name} has the unknown type {number}.", hint="See whether edgekit is old."
        )
    kind, block, block_bytes = GGML_TYPES[number]
    if min(shape) < 1 or math.prod(shape) >= 1 << 62 or shape[0] % block:
        raise file.bad(f"the tensor {name!r} of type {kind} has the shape {list(shape)}")
    return GgufTensor(name, kind, shape, file.number("Q"), math.prod(shape) // block * block_bytes)


def _locate_tensors(file: _Cursor, tensors: list[GgufTensor], alignment: int) -> tuple[GgufTensor, ...]:
    """The tensors with offsets from the start of the file, checked to lie inside it without overlaps."""
    start = -(-file.place // alignment) * alignment
    placed = [GgufTensor(t.name, t.type, t.shape, start + t.offset, t.size) for t in tensors]
    end = start
    for tensor in sorted(placed, key=lambda tensor: tensor.offset):
        if tensor.offset % alignment or tensor.offset < end:
            raise file.bad(f"the tensor {tensor.name!r} lies inside of another, or not at a multiple of {alignment}")
        end = tensor.offset + tensor.size
        if end > file.size:
            missing = end - file.size
            raise file.bad(f"the tensor {tensor.name!r} reaches {missing} bytes past its end")
    return tuple(placed)


def shard_of(path: Path) -> tuple[int, int] | None:
    """(number from 1, count) for a file named like ``-00001-of-00003.gguf``, as llama.cpp splits them; else None."""
    match = re.search(r"-(\d{5})-of-(\d{5})\.gguf$", path.name)
    return (int(match[1]), int(match[2])) if match else None


def shards_of(name: str) -> list[str]:
    """The names of all shards of the file `name`, in order; a file that is whole is its only one."""
    number, count = shard_of(Path(name)) or (1, 1)
    if count == 1:
        return [name]
    stem = name.removesuffix(f"-{number:05}-of-{count:05}.gguf")
    return [f"{stem}-{i + 1:05}-of-{count:05}.gguf" for i in range(count)]
