"""PyTorch's older file form (before 1.6): four pickles and a list, then the bytes of each storage.

`torch.load(weights_only=True)` runs no code of it, but allocates what the pickles say before it reads. Here they are
looked through, unexecuted, for numbers that such a file cannot need.
"""

from __future__ import annotations

import pickletools
from pathlib import Path

__all__ = ["check", "is_older_form"]

#: How such a file begins: a pickle of the number 0x1950a86a20f9469cfc6c.
_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: The magic number, the protocol, facts of the machine, the object, the keys of its storages.
_PICKLES = 5


def is_older_form(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check(path: Path) -> None:
    """Raise ValueError where a size in the file is larger than the file, or all storages together are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(len(_MAGIC))
        for number in range(1, _PICKLES):
            total, last = 0, 0
            for opcode, value, _ in pickletools.genops(file):
                remembered = "PUT" in opcode.name or "GET" in opcode.name  # places in the memo
                if isinstance(value, int) and not isinstance(value, bool) and not remembered:
                    if abs(value) > size and number > 2:
                        raise ValueError(f"a size of {value} in a file of {size} bytes")
                    last = value
                if opcode.name == "BINPERSID":  # a storage: its last number counts its elements
                    total += last
                elif opcode.name == "PERSID":
                    raise ValueError("a storage in a form that PyTorch never wrote")
            if total > size:
                raise ValueError(f"storages of {total} elements in a file of {size} bytes")
