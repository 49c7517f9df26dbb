"""How large the sections of a 32-bit little-endian ELF file are. Format: "Tool Interface Standard, ELF" (1995)."""

from __future__ import annotations

import struct
from pathlib import Path

from edgekit.errors import BadInput

#: Section header: flag "takes memory while running".
_ALLOCATED = 2


def sections(file: Path) -> dict[str, int]:
    """Name -> bytes, for every section that takes memory on the chip.

    Raises:
        BadInput: not such a file, or it is damaged.
    """
    data = file.read_bytes()
    if data[:6] != b"\x7fELF\x01\x01":
        raise BadInput(f"{file} is not a 32-bit little-endian ELF file.")
    try:
        table, size, count, names = struct.unpack_from("<I10xHHH", data, 32)
        headers = [struct.unpack_from("<IIIIII", data, table + index * size) for index in range(count)]
        start = headers[names][4]
        sizes = {}
        for name, _, flags, _, _, length in headers:
            if flags & _ALLOCATED:
                text = data[start + name : data.index(b"\0", start + name)]
                sizes[text.decode("ascii")] = length
    except (struct.error, ValueError, IndexError) as exc:
        raise BadInput(f"{file} is a damaged ELF file: {exc}.") from exc
    return sizes


def memory(file: Path) -> dict[str, int]:
    """What the program takes, by kind.

    Returns:
        ``code``: instructions, the vector table included; ``constants``: weights and tables in flash; ``data``:
        initialised variables, which take flash and RAM; ``zeroed``: the rest of the RAM but the stack, the arena
        included; ``flash`` and ``ram``: the sums. Golden data is left out.
    """
    sizes = sections(file)
    code = sizes.get(".text", 0) + sizes.get(".vectors", 0)
    constants = sizes.get(".rodata", 0) + sizes.get(".ARM.exidx", 0)
    data, zeroed = sizes.get(".data", 0), sizes.get(".bss", 0)
    return {
        "code": code,
        "constants": constants,
        "data": data,
        "zeroed": zeroed,
        "flash": code + constants + data,
        "ram": data + zeroed,
    }
