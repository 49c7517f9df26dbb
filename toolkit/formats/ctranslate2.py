"""Reader for CTranslate2's ``model.bin``, binary version 6, without CTranslate2.

Layout, little-endian; a string is a uint16 length, then so many bytes of which the last is zero::

    uint32 version, string specification, uint32 revision
    uint32 count, then per variable:
        string name, uint8 rank, uint32 size per axis, uint8 dtype, uint32 bytes, the data (not aligned)
    uint32 count, then per alias: string alias, string name of a variable

Every number is checked against the rest of the file before it is used. Older versions of the format differ in ways that
cannot be tested here, so they are refused.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput

VERSION = 6
_MOST_AXES = 8
_DTYPES = ("<f4", "i1", "<i2", "<i4", "<f2", "bfloat16")  # the format's own order


def read(path: Path) -> tuple[str, int, dict[str, NDArray[Any]]]:
    """Read a ``model.bin``.

    Args:
        path: the file. It is mapped, not loaded: it must not be written to while the arrays live.

    Returns:
        The specification's name (such as ``"WhisperSpec"``), its revision, and name -> array: read-only views in the
        stored dtype (float32, int8, int16, int32, float16), of any alignment; bfloat16 comes as float32. Scalars have
        shape (). An alias is a second name of the same array; a variable's ``_scale`` gets an alias, too.

    Raises:
        BadInput: not such a file, or damaged anywhere; names the offset.
    """
    if path.stat().st_size == 0:
        raise BadInput(f"{path.name} is empty.")
    cursor = _Cursor(np.memmap(path, dtype=np.uint8, mode="r"), path.name)
    version = cursor.number("I", "the version")
    if version != VERSION:
        raise cursor.bad(f"it is not a CTranslate2 model of binary version {VERSION} (the version reads {version})")
    specification, revision = cursor.string("the specification"), cursor.number("I", "the revision")
    tensors: dict[str, NDArray[Any]] = {}
    for _ in range(cursor.number("I", "the number of variables")):
        name = cursor.new_name("a variable's name", tensors)
        tensors[name] = _variable(cursor, name)
    _aliases(cursor, tensors)
    if cursor.bytes_left:
        raise cursor.bad(f"{cursor.bytes_left} bytes follow the end of the model")
    return specification, revision, tensors


def decode_bfloat16(raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 bit patterns, of any shape -> the same values in float32."""
    # bfloat16 is the upper half of a float32.
    return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _variable(cursor: _Cursor, name: str) -> NDArray[Any]:
    rank = cursor.number("B", f"the rank of {name}")
    if rank > _MOST_AXES:
        raise cursor.bad(f"{name} has {rank} axes, more than {_MOST_AXES}")
    shape = tuple(cursor.number("I", f"the shape of {name}") for _ in range(rank))
    kind = cursor.number("B", f"the dtype of {name}")
    if kind >= len(_DTYPES):
        raise cursor.bad(f"{name} has the unknown dtype {kind}")
    dtype = _DTYPES[kind]
    stored = "<u2" if dtype == "bfloat16" else dtype
    length = cursor.number("I", f"the size of {name}")
    expected = math.prod(shape) * int(stored[-1])
    if length == 0 or length != expected:
        raise cursor.bad(f"{name} of shape {shape} should have {expected} bytes and has {length}")
    array = cursor.array(stored, length, f"the data of {name}").reshape(shape)
    return decode_bfloat16(array) if dtype == "bfloat16" else array


def _aliases(cursor: _Cursor, tensors: dict[str, NDArray[Any]]) -> None:
    for _ in range(cursor.number("I", "the number of aliases")):
        alias = cursor.new_name("an alias", tensors)
        target = cursor.string(f"what {alias} stands for")
        if target not in tensors:
            raise cursor.bad(f"{alias} stands for {target}, which is not there")
        tensors[alias] = tensors[target]
        # A quantized variable's scale goes with it, though the file does not say so.
        if f"{target}_scale" in tensors:
            tensors.setdefault(f"{alias}_scale", tensors[f"{target}_scale"])


class _Cursor:
    """A position in a mapped file. Each read is checked against what is left."""

    def __init__(self, data: NDArray[np.uint8], file: str) -> None:
        self._data = data
        self._file = file
        self._at = 0

    @property
    def bytes_left(self) -> int:
        return len(self._data) - self._at

    def bad(self, reason: str) -> BadInput:
        return BadInput(f"{self._file} cannot be read at byte {self._at}: {reason}.", hint="Fetch the file again.")

    def number(self, code: str, what: str) -> int:
        return int(struct.unpack(f"<{code}", self._take(struct.calcsize(code), what))[0])

    def string(self, what: str) -> str:
        raw = self._take(self.number("H", what), what)
        if not raw.endswith(b"\0") or b"\0" in raw[:-1]:
            raise self.bad(f"{what} is not a zero-terminated string")
        try:
            return raw[:-1].decode("utf-8")
        except UnicodeDecodeError as exc:
            raise self.bad(f"{what} is not UTF-8") from exc

    def new_name(self, what: str, known: dict[str, NDArray[Any]]) -> str:
        name = self.string(what)
        if name in known:
            raise self.bad(f"the name {name} occurs twice")
        return name

    def array(self, dtype: str, length: int, what: str) -> NDArray[Any]:
        start = self._skip(length, what)
        return np.frombuffer(self._data, dtype, count=length // int(dtype[-1]), offset=start)

    def _take(self, length: int, what: str) -> bytes:
        start = self._skip(length, what)
        return self._data[start : start + length].tobytes()

    def _skip(self, length: int, what: str) -> int:
        if length > self.bytes_left:
            raise self.bad(f"the file ends inside {what} ({length} bytes wanted, {self.bytes_left} left)")
        start = self._at
        self._at += length
        return start
