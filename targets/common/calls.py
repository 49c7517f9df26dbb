"""Calls of a part as a file, which a program on a phone can read without any library.

Little-endian: the magic number, uint32 calls; for each call uint32 tensors; for each tensor uint32 length of its name,
the name, uint32 type (ONNX's number), uint32 axes, int64 sizes, uint64 bytes, the values. Answers have the same form.

All calls of all parts in one file have their values once each, since what one call gives others take: another magic
number, uint32 values; for each uint32 type, uint32 axes, int64 sizes, uint64 bytes, the values; uint32 parts; for each
uint32 calls; for each uint32 tensors; for each uint32 length of its name, the name, uint32 number of its values.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import DeviceFailed

_MAGIC = 0x31434B45
_MAGIC_ALL = 0x41434B45
#: ONNX's numbers of element types (onnx.TensorProto.DataType).
_TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11,
}  # fmt: skip
_NAMES = {number: name for name, number in _TYPES.items()}

Tensors = Mapping[str, "NDArray[Any]"]


def write(file: Path, calls: Sequence[Tensors]) -> None:
    """Write the inputs of `calls`. Raises KeyError for a dtype that ONNX parts do not have."""
    with file.open("wb") as out:
        put(out, calls)


def put(out: IO[bytes], calls: Sequence[Tensors]) -> None:
    """`write` to an open file or pipe."""
    out.write(struct.pack("<II", _MAGIC, len(calls)))
    for feeds in calls:
        out.write(struct.pack("<I", len(feeds)))
        for name, array in feeds.items():
            encoded = name.encode()
            out.write(struct.pack("<I", len(encoded)) + encoded)
            _write_values(out, array)


def write_all(file: Path, parts: Sequence[Sequence[Tensors]]) -> None:
    """Write the inputs of all calls of all `parts`, equal ones once. Raises KeyError as `write`."""
    pool: dict[bytes, int] = {}
    known: dict[int, int] = {}  # by identity: most are the very same array, which is then hashed once
    index = [struct.pack("<I", len(parts))]
    with file.open("wb") as out:
        out.write(struct.pack("<II", _MAGIC_ALL, 0))
        for calls in parts:
            index.append(struct.pack("<I", len(calls)))
            for feeds in calls:
                index.append(struct.pack("<I", len(feeds)))
                for name, array in feeds.items():
                    if id(array) not in known:
                        key = hashlib.sha256(repr((array.dtype, array.shape)).encode() + array.tobytes()).digest()
                        if key not in pool:
                            pool[key] = len(pool)
                            _write_values(out, array)
                        known[id(array)] = pool[key]
                    encoded = name.encode()
                    index.append(struct.pack("<I", len(encoded)) + encoded + struct.pack("<I", known[id(array)]))
        out.write(b"".join(index))
        out.seek(4)
        out.write(struct.pack("<I", len(pool)))


def _write_values(out: IO[bytes], array: NDArray[Any]) -> None:
    shape = array.shape
    out.write(struct.pack("<II", _TYPES[array.dtype.name], len(shape)))
    out.write(struct.pack(f"<{len(shape)}qQ", *shape, array.nbytes))
    out.write(array.tobytes())


def read(file: Path) -> list[dict[str, NDArray[Any]]]:
    """The tensors of each call. Raises DeviceFailed for what the program cannot have written to its end."""
    try:
        with file.open("rb") as source:
            return take(source)
    except OSError as exc:
        raise DeviceFailed(f"the answers of the device cannot be read: {exc}") from exc


def take(source: IO[bytes]) -> list[dict[str, NDArray[Any]]]:
    """`read` from an open file or pipe, up to the end of the last call."""

    def tensor() -> tuple[str, NDArray[Any]]:
        name = _read_exactly(source, _number(source)).decode()
        dtype, axes = _NAMES[_number(source)], _number(source)
        *shape, size = struct.unpack(f"<{axes}qQ", _read_exactly(source, 8 * axes + 8))
        return name, np.frombuffer(_read_exactly(source, size), dtype).reshape(shape)

    try:
        if _number(source) != _MAGIC:
            raise ValueError("another magic number")
        return [dict(tensor() for _ in range(_number(source))) for _ in range(_number(source))]
    except (ValueError, KeyError, struct.error) as exc:
        raise DeviceFailed(f"the answers of the device cannot be read: {exc}") from exc


def _number(source: IO[bytes]) -> int:
    return int(struct.unpack("<I", _read_exactly(source, 4))[0])


def _read_exactly(source: IO[bytes], size: int) -> bytes:
    if size > (1 << 32):
        raise ValueError("a size that no tensor has")
    content = source.read(size)
    if len(content) != size:
        raise ValueError("they are cut off")
    return content
