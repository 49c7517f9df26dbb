"""PyTorch's older file form (before 1.6): five pickles, then the bytes of each storage.

`torch.load(weights_only=True)` runs no code of it, but allocates what the pickles say before it reads. Here they are
followed, unexecuted, with the stack that an unpickler would have, for sizes that such a file cannot need.
"""

from __future__ import annotations

import pickletools
import re
from pathlib import Path
from typing import Any

__all__ = ["check", "is_older_form"]

#: How such a file begins: a pickle of the number 0x1950a86a20f9469cfc6c.
_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: Behind it: the protocol, facts of the machine, the object, the keys of its storages.
_PICKLES = 4
#: Numbers up to this say nothing about sizes, however small the file is: the protocol is 1001.
_HARMLESS = 1 << 16
#: Optimizers of those days name what they train by its place in memory: an item of a list or a key, never an argument.
_PLACES = range(1 << 44, 1 << 48)
#: What a mark, an object that was made, or anything else without a meaning here is.
_MARK, _OBJECT = object(), object()
_PUSHED = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"),
    *("NONE", "NEWTRUE", "NEWFALSE"),
)
_MADE = ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET")
#: What a file of tensors calls. PyTorch also allows bytearray, which takes memory for a number of a few bytes.
_GLOBALS = re.compile(
    r"collections OrderedDict|torch \w+Storage|torch Size|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
)


def is_older_form(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check(path: Path) -> None:
    """Raise ValueError where a size in the file is larger than the file, or all storages together are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(len(_MAGIC))
        for _ in range(_PICKLES):
            machine = _Machine(max(size, _HARMLESS))
            for opcode, value, _ in pickletools.genops(file):
                machine.step(opcode.name, value)
            total = sum(machine.elements.values())
            if total > size:
                raise ValueError(f"storages of {total} elements in a file of {size} bytes")


class _Machine:
    """The stack of an unpickler that makes tuples and nothing else.

    Knows the operations that PyTorch's restricted unpickler knows.

    Attributes:
        elements: the key of each storage -> how many it has. Several tensors may lie in one.
    """

    def __init__(self, most: int) -> None:
        self.elements: dict[str, int] = {}
        self._most = most
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, value: Any) -> None:
        """Raise ValueError for a size above `most`, and for what PyTorch never wrote."""
        if name == "MARK":
            self._stack.append(_MARK)
        elif name in _PUSHED:
            self._stack.append(value)
        elif name in _MADE:
            self._stack.append(_OBJECT)
        elif name == "GLOBAL":
            if not _GLOBALS.fullmatch(value):
                raise ValueError(f"{value!r}, which no file of tensors needs")
            self._stack.append(_OBJECT)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[int(value)] = self._top(1)[0]
        elif name in ("BINGET", "LONG_BINGET"):
            if int(value) not in self._memo:
                raise ValueError(f"nothing was remembered as {value}")
            self._stack.append(self._memo[int(value)])
        elif name == "EMPTY_TUPLE":
            self._stack.append(())
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            self._tuple(self._marked() if name == "TUPLE" else self._popped(int(name[-1])))
        elif name in ("APPENDS", "SETITEMS"):
            self._items(self._marked())
        elif name in ("APPEND", "SETITEM"):
            self._items(self._popped(1 if name == "APPEND" else 2))
        elif name in ("REDUCE", "NEWOBJ", "BUILD"):
            self._called(name)
        elif name == "BINPERSID":
            self._storage(self._popped(1)[0])
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"{name}, which PyTorch never wrote")

    def _top(self, count: int) -> list[Any]:
        found = self._stack[-count:]
        if len(found) < count or _MARK in found:
            raise ValueError("a pickle that takes what is not there")
        return found

    def _popped(self, count: int) -> list[Any]:
        found = self._top(count)
        del self._stack[-count:]
        return found

    def _marked(self) -> list[Any]:
        """What lies above the last mark, taken off with it."""
        found: list[Any] = []
        while self._stack:
            if (item := self._stack.pop()) is _MARK:
                return found[::-1]
            found.append(item)
        raise ValueError("a pickle without a mark where it needs one")

    def _tuple(self, items: list[Any]) -> None:
        for item in items:
            self._bounded(item)
        self._stack.append(tuple(items))

    def _items(self, items: list[Any]) -> None:
        for item in items:
            if not (_number(item) and item in _PLACES):
                self._bounded(item)
        self._top(1)

    def _called(self, name: str) -> None:
        """A call, or a state: of either only the arguments matter, which a tuple has bounded already."""
        _, given = self._popped(2)
        if name != "BUILD" and not isinstance(given, tuple):
            raise ValueError("a call whose arguments are no tuple")
        self._bounded(given)
        self._stack.append(_OBJECT)

    def _storage(self, given: Any) -> None:
        """("storage", its class, key, device, elements, None or a view)."""
        if not (isinstance(given, tuple) and len(given) == 6 and isinstance(given[2], str) and _number(given[4])):
            raise ValueError("a storage in a form that PyTorch never wrote")
        key, count = given[2], given[4]
        if count < 0 or self.elements.setdefault(key, count) != count:
            raise ValueError("a storage of two sizes, or of less than nothing")
        self._stack.append(_OBJECT)

    def _bounded(self, item: Any) -> None:
        if _number(item) and abs(item) > self._most:
            raise ValueError(f"a size of {item} in so small a file")


def _number(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)
