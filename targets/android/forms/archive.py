"""Zip files of Android (.apk, .aar): where the bytes of each entry lie, and whether names are safe.

Nothing in the file is trusted: sizes and names of the directory are compared with those before the entries themselves,
and entries may not overlap. Format: PKWARE's APPNOTE.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from edgekit.errors import BadInput

_HEADER = struct.Struct("<4sHHHHHIIIHH")
_MOST_ENTRIES = 65_535
#: Bytes of an entry, and of all of them: more than any app has.
_LARGEST = 4 << 30
#: Tag of an extra field that only fills space (as zipalign of Android writes it).
_PADDING = 0xD935


class Entry(NamedTuple):
    """One file of an archive: its name, whether it is stored as it is, where its bytes start, and how many it has."""

    name: str
    stored: bool
    start: int
    packed: int
    size: int


def entries(file: Path) -> list[Entry]:
    """All entries of the archive, in the order in which they lie there; folders are left out.

    Raises:
        BadInput: not a zip file, a damaged zip file, a name that is absolute, leaves its folder, or comes twice
            (also but for the case of letters), a link, an encrypted entry, entries that overlap.
    """
    try:
        with zipfile.ZipFile(file) as archive, file.open("rb") as source:
            listed = [_entry(source, info) for info in _plain(archive, file.name)]
    except (zipfile.BadZipFile, struct.error, NotImplementedError, OSError, OverflowError, ValueError) as exc:
        # NotImplementedError is zipfile's word for a compression that it lacks.
        raise BadInput(f"{file.name} is not a zip file, or is damaged: {exc}.") from exc
    listed.sort(key=lambda entry: entry.start)
    end = 0
    for entry in listed:
        if entry.start < end:
            raise BadInput(f"{file.name}: the entry {entry.name} overlaps another entry.")
        end = entry.start + entry.packed
    return listed


def content(file: Path, name: str) -> bytes:
    """The bytes of the entry `name`, which `entries` has listed. Raises BadInput for damaged ones."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError) as exc:
        # NotImplementedError is zipfile's word for a compression that it lacks.
        raise BadInput(f"{file.name}: the entry {name} is damaged: {exc}.") from exc


def write_aligned(place: Path, files: Mapping[str, bytes | Path], alignment: Mapping[str, int]) -> None:
    """Write an archive of stored entries that is the same bytes whenever `files` are.

    Args:
        files: name -> content, or the file that holds it.
        alignment: name -> bytes that the content's place must be a multiple of; 4 by default.
    """
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            content = files[name]
            body = content.read_bytes() if isinstance(content, Path) else content
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            assert archive.fp is not None
            entry.extra = _filling(archive.fp.tell() + _HEADER.size + len(name.encode()), alignment.get(name, 4))
            archive.writestr(entry, body, zipfile.ZIP_STORED)
            entry.extra = b""  # not in the directory as well


def _filling(start: int, alignment: int) -> bytes:
    """An extra field that moves `start` to the next multiple of `alignment`, or nothing where it is a multiple."""
    if start % alignment == 0:
        return b""
    # The field says itself for which alignment it was made; it has at least 6 bytes.
    length = 6 + -(start + 6) % alignment
    return struct.pack("<HHH", _PADDING, length - 4, alignment) + bytes(length - 6)


def _plain(archive: zipfile.ZipFile, what: str) -> Iterator[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MOST_ENTRIES or sum(info.file_size for info in infos) > _LARGEST:
        raise BadInput(f"{what} would take more space than any app has.")
    seen: set[str] = set()
    for info in infos:
        parts = info.filename.split("/")
        wrong = not info.filename or "\\" in info.filename or ":" in parts[0] or not info.filename.isprintable()
        if wrong or {"..", ".", ""} & set(parts[:-1]) or parts[-1] in ("..", "."):
            raise BadInput(f"{what} has an entry whose name is not a plain relative path: {info.filename!r}.")
        if info.filename.lower() in seen:
            raise BadInput(f"{what} has the entry {info.filename} twice.")
        seen.add(info.filename.lower())
        mode = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 1 or (mode and mode not in (stat.S_IFREG, stat.S_IFDIR)):
            raise BadInput(f"{what}: the entry {info.filename} is encrypted, or is no plain file.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadInput(f"{what}: the entry {info.filename} is compressed in a way that Android does not know.")
        if not info.is_dir():
            yield info


def _entry(source: IO[bytes], info: zipfile.ZipInfo) -> Entry:
    source.seek(info.header_offset)
    magic, _, flags, method, _, _, crc, packed, size, name, extra = _HEADER.unpack(source.read(_HEADER.size))
    # What comes before an entry must say the same as the directory: installers differ in which of them they read.
    stated = source.read(name).decode("utf-8" if flags & 0x800 else "cp437")
    if magic != b"PK\x03\x04" or stated != info.orig_filename or method != info.compress_type:
        raise ValueError(f"the directory's entry {info.filename} is not what lies there")
    later = flags & 8  # sizes come after the bytes
    if not later and (crc, packed, size) != (info.CRC, info.compress_size, info.file_size):
        raise ValueError(f"the sizes of the entry {info.filename} differ from the directory's")
    if method == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise ValueError(f"the entry {info.filename} is stored, but with two sizes")
    start = info.header_offset + _HEADER.size + name + extra
    return Entry(info.filename, method == zipfile.ZIP_STORED, start, info.compress_size, info.file_size)
