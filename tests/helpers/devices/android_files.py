"""Made-up native libraries and archives of Android."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MANIFEST = b'<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="a.b"/>'


def elf(
    *,
    wide: bool = True,
    machine: int = 183,
    alignment: int = 16384,
    flags: Sequence[int] = (5, 6),
    needed: Sequence[str] = ("libc.so",),
    dynamic: Sequence[tuple[int, int]] = (),
    shift: int = 0,
) -> bytes:
    """A shared library of LOAD segments with `flags` (1 execute, 2 write, 4 read) and nothing in them.

    Args:
        shift: of addresses against places in the file. dynamic: further (tag, value) of the dynamic section.
    """
    names = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    at = [names.index(b"\0" + name.encode() + b"\0") + 1 for name in needed]
    header, entry = (64, 56) if wide else (52, 32)
    count = len(flags) + 1
    start = header + count * entry
    tags = [(5, start), (10, len(names)), *((1, place) for place in at), *dynamic, (0, 0)]
    body = names + b"".join(struct.pack("<QQ" if wide else "<II", *tag) for tag in tags)
    size = start + len(body)
    loads = [(1, flag, 0, shift, size, alignment) for flag in flags]
    segments = [*loads, (2, 6, start + len(names), start + len(names), size - start - len(names), 8)]
    packed = b"".join(_segment(wide, *segment) for segment in segments)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    if wide:
        head = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, header, 0, 0, header, entry, count, 0, 0, 0)
    else:
        head = struct.pack("<HHIIIIIHHHHHH", 3, machine, 1, 0, header, 0, 0, header, entry, count, 0, 0, 0)
    return ident + head + packed + body


def _segment(wide: bool, kind: int, flag: int, offset: int, address: int, size: int, alignment: int) -> bytes:
    if wide:
        return struct.pack("<IIQQQQQQ", kind, flag, offset, address, address, size, size, alignment)
    return struct.pack("<IIIIIIII", kind, offset, address, address, size, size, flag, alignment)


def archive(place: Path, files: Mapping[str, bytes], *, packed: Sequence[str] = ()) -> Path:
    """A zip as `zipfile` writes it, nothing aligned; the files in `packed` are deflated."""
    with zipfile.ZipFile(place, "w") as out:
        for name, body in files.items():
            out.writestr(name, body, zipfile.ZIP_DEFLATED if name in packed else zipfile.ZIP_STORED)
    return place
