"""PyTorch's older file form (before 1.6): four pickles and a list, then the bytes of each storage.

`torch.load(weights_only=True)` runs no code of it, but allocates what the pickles say before it reads. Here they are
looked through, unexecuted, for numbers that such a file cannot need.
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import Any

__all__ = ["check", "is_older_form"]

#: How such a file begins: a pickle of the number 0x1950a86a20f9469cfc6c.
_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: The magic number, the protocol, facts of the machine, the object, the keys of its storages.
_PICKLES = 5
#: Optimizers of those days name what they train by its place in memory. As a size this is more than any machine has: to
#: allocate it fails at once.
_PLACES = range(1 << 44, 1 << 48)


def is_older_form(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check(path: Path) -> None:
    """Raise ValueError where a size in the file is larger than the file, or all storages together are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(len(_MAGIC))
        for number in range(1, _PICKLES):
            reader = _Storages()
            for opcode, value, _ in pickletools.genops(file):
                remembered = "PUT" in opcode.name or "GET" in opcode.name  # places in the memo
                counted = isinstance(value, int) and not isinstance(value, bool) and not remembered
                if counted and abs(value) > size and number > 2 and value not in _PLACES:
                    raise ValueError(f"a size of {value} in a file of {size} bytes")
                reader.see(opcode.name, value)
            total = sum(reader.elements.values())
            if total > size:
                raise ValueError(f"storages of {total} elements in a file of {size} bytes")


class _Storages:
    """Follows a pickle just far enough to tell its storages apart: several tensors may lie in one.

    `elements`: the key of each -> how many it has.
    """

    def __init__(self) -> None:
        self.elements: dict[str, int] = {}
        self._since: list[Any] = []  # what was pushed since the last mark
        self._memo: dict[int, Any] = {}
        self._tuple: list[Any] = []  # what the last tuple was made of

    def see(self, name: str, value: Any) -> None:
        """Raise ValueError for a storage in a form that PyTorch never wrote."""
        if name == "MARK":
            self._since = []
        elif "PUT" in name:
            self._memo[int(value)] = self._since[-1] if self._since else None
        elif "GET" in name:
            self._since.append(self._memo.get(int(value)))
        elif name == "TUPLE":
            self._tuple, self._since = self._since, []
        elif name == "BINPERSID":  # ("storage", its class, key, device, elements, None)
            if len(self._tuple) != 6 or not isinstance(self._tuple[2], str) or not isinstance(self._tuple[4], int):
                raise ValueError("a storage in a form that PyTorch never wrote")
            key, count = self._tuple[2], self._tuple[4]
            if self.elements.setdefault(key, count) != count:
                raise ValueError("a storage of two sizes")
            self._tuple = []
        elif name in ("PERSID", "POP", "POP_MARK", "DUP"):
            raise ValueError("a storage in a form that PyTorch never wrote")
        else:
            self._since.append(value)
