"""Native libraries of Android apps: what the loader of a phone and the store ask of an ELF file.

Nothing in the file is trusted: every offset is checked against the file before it is used. Formats: "Tool Interface
Standard, ELF" (1995), and its 64-bit form.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edgekit.errors import BadInput

#: Folder of an ABI -> (bits, ELF's number of the machine).
ABIS = {"arm64-v8a": (64, 183), "armeabi-v7a": (32, 40), "x86_64": (64, 62), "x86": (32, 3), "riscv64": (64, 243)}
#: Newer phones have pages of 16 KB, on which a library for smaller ones does not load; the store refuses such an app.
PAGE = 16384

_LOAD, _DYNAMIC = 1, 2
_EXECUTABLE, _WRITABLE = 1, 2
_NEEDED, _STRINGS, _STRINGS_SIZE, _NAME, _TEXT_RELOCATIONS, _FLAGS = 1, 5, 10, 14, 22, 30
_FLAG_TEXT_RELOCATIONS = 4
_MOST_ENTRIES = 4096


class Segment(NamedTuple):
    """One entry of the program header: a number for its type, flags, where it lies in the file and in memory."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int
    alignment: int


class Library(NamedTuple):
    """What is known of a shared library.

    Attributes:
        bits: 32 or 64. machine: ELF's number. segments: all of them, in the file's order.
        needed: names of the libraries that it needs. name: its own (DT_SONAME), "" where it has none.
        text_relocations: the loader must write into its code.
    """

    bits: int
    machine: int
    segments: tuple[Segment, ...]
    needed: tuple[str, ...]
    name: str
    text_relocations: bool

    @property
    def loads(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments if segment.kind == _LOAD)


def read_library(data: bytes, what: str) -> Library:
    """The library in `data`. Raises BadInput, naming `what`, for anything else and for a damaged library."""
    try:
        return _library(data)
    except (struct.error, ValueError, OverflowError, UnicodeDecodeError) as exc:
        raise BadInput(f"{what} is not a native library for Android, or is damaged: {exc}.") from exc


def check_library(data: bytes, what: str, abi: str) -> Library:
    """The library in `data`, if a phone of that ABI can load it.

    Raises:
        BadInput: it is damaged, of another processor, has code that the loader must change or segments that are both
            writable and executable, or, of 64 bits, a segment that is not aligned to 16 KB. The message names both.
    """
    library = read_library(data, what)
    if abi not in ABIS:
        raise BadInput(f"{what}: there is no ABI {abi!r} of Android.", hint=f"Known: {', '.join(ABIS)}.")
    if (library.bits, library.machine) != ABIS[abi]:
        raise BadInput(
            f"{what} lies among the libraries for {abi} but is for another processor "
            f"({library.bits} bits, machine {library.machine})."
        )
    if library.text_relocations:
        raise BadInput(f"{what} has text relocations: phones since Android 6 refuse to load it.")
    if not library.loads:
        raise BadInput(f"{what} has no LOAD segment: there is nothing in it that could be loaded.")
    for index, segment in enumerate(library.loads):
        where = f"{what}: LOAD segment {index} (offset {segment.offset:#x})"
        if segment.flags & _WRITABLE and segment.flags & _EXECUTABLE:
            raise BadInput(f"{where} is both writable and executable: phones refuse to load it.")
        if library.bits == 64:
            _check_alignment(segment, where)
    return library


def _check_alignment(segment: Segment, where: str) -> None:
    if segment.alignment < PAGE:
        raise BadInput(
            f"{where} is aligned to {segment.alignment} bytes; phones with pages of 16 KB need {PAGE}.",
            hint="Take a newer release of the library, or link it with -Wl,-z,max-page-size=16384.",
        )
    if segment.alignment & (segment.alignment - 1) or (segment.address - segment.offset) % segment.alignment:
        raise BadInput(f"{where} does not lie in the file as its alignment of {segment.alignment} bytes demands.")


def _library(data: bytes) -> Library:
    if data[:4] != b"\x7fELF" or len(data) < 52:
        raise ValueError("it does not start as an ELF file")
    if data[4] not in (1, 2) or data[5] != 1:
        raise ValueError("it is not little-endian with 32 or 64 bits")
    wide = data[4] == 2
    kind, machine = struct.unpack_from("<HH", data, 16)
    if kind != 3:
        raise ValueError("it is no shared library")
    (table,) = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", data, 54 if wide else 42)
    if size != (56 if wide else 32):
        raise ValueError(f"an entry of its program header has {size} bytes")
    segments = tuple(_segment(data, table + index * size, wide) for index in range(count))
    needed, name, relocations = _dynamic(data, segments, wide)
    return Library(64 if wide else 32, machine, segments, needed, name, relocations)


def _segment(data: bytes, at: int, wide: bool) -> Segment:
    if wide:
        kind, flags, offset, address, _, size, _, alignment = struct.unpack_from("<IIQQQQQQ", data, at)
    else:
        kind, offset, address, _, size, _, flags, alignment = struct.unpack_from("<IIIIIIII", data, at)
    if kind == _LOAD and offset + size > len(data):
        raise ValueError("a segment lies beyond the end of the file")
    return Segment(kind, flags, offset, address, size, alignment)


def _dynamic(data: bytes, segments: tuple[Segment, ...], wide: bool) -> tuple[tuple[str, ...], str, bool]:
    entries = [entry for segment in segments if segment.kind == _DYNAMIC for entry in _entries(data, segment, wide)]
    values = dict(entries)
    relocations = _TEXT_RELOCATIONS in values or bool(values.get(_FLAGS, 0) & _FLAG_TEXT_RELOCATIONS)
    names = {_NEEDED, _NAME} & {tag for tag, _ in entries}
    strings = _strings(data, segments, values) if names else b""
    needed = tuple(_text(strings, value) for tag, value in entries if tag == _NEEDED)
    return needed, _text(strings, values[_NAME]) if _NAME in values else "", relocations


def _entries(data: bytes, segment: Segment, wide: bool) -> Iterator[tuple[int, int]]:
    form, size = ("<QQ", 16) if wide else ("<II", 8)
    for index in range(min(segment.size // size, _MOST_ENTRIES)):
        tag, value = struct.unpack_from(form, data, segment.offset + index * size)
        if tag == 0:
            return
        yield tag, value


def _strings(data: bytes, segments: tuple[Segment, ...], values: dict[int, int]) -> bytes:
    address, size = values.get(_STRINGS, 0), values.get(_STRINGS_SIZE, 0)
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address and address + size <= segment.address + segment.size:
            start = segment.offset + address - segment.address
            return data[start : start + size]
    raise ValueError("its table of names lies in no segment")


def _text(strings: bytes, at: int) -> str:
    end = strings.find(b"\0", at)
    if at > len(strings) or end < 0:
        raise ValueError("a name lies outside the table of names")
    return strings[at:end].decode()
