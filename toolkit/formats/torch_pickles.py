"""Checks of PyTorch's older file form (before 1.6): five pickles, then the bytes of each storage.

`torch.load(weights_only=True)` runs no code of it, but allocates the sizes in the pickles first. Here they are
traced without execution, with an unpickler's stack, to refuse sizes that the file cannot need.
"""

from __future__ import annotations

import mmap
import pickletools
import re
from pathlib import Path
from typing import IO, Any, cast

#: The first bytes of such a file: a pickle of the number 0x1950a86a20f9469cfc6c.
_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: The pickles after it: the protocol, facts of the machine, the object, the keys of its storages.
_PICKLES = 4
#: Numbers up to this are allowed even in smaller files: the protocol is 1001.
_HARMLESS = 1 << 16
#: Old optimizers name parameters by their address in memory: an item of a list or a key, never an argument.
_PLACES = range(1 << 44, 1 << 48)
#: Stand for a mark, and for any object.
_MARK, _OBJECT = object(), object()
_PUSHED = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"),
    *("NONE", "NEWTRUE", "NEWFALSE"),
)
_MADE = ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET")
#: Callables in a file of tensors. PyTorch also allows bytearray, which allocates any size from a few bytes.
_GLOBALS = re.compile(
    r"collections OrderedDict|torch \w+Storage|torch Size|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
)


def is_older_form(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check(path: Path) -> None:
    """Raise ValueError if a size in the file, or the sum of all storages, is larger than the file."""
    size = path.stat().st_size
    # Mapped: a length in a pickle is read as far as the file goes, and no memory is made for the rest.
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as file:
        file.seek(len(_MAGIC))
        for _ in range(_PICKLES):
            machine = _Machine(max(size, _HARMLESS))
            for opcode, value, _ in pickletools.genops(cast("IO[bytes]", file)):
                machine.step(opcode.name, value)
            total = sum(machine.elements.values())
            if total > size:
                raise ValueError(f"storages of {total} elements in a file of {size} bytes")


class _Machine:
    """The stack of an unpickler that makes tuples and nothing else.

    Knows the operations that PyTorch's restricted unpickler knows.

    Attributes:
        elements: key of each storage -> its number of elements. Several tensors may share a storage.
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
            self._tuple(self._pop_to_mark() if name == "TUPLE" else self._pop_items(int(name[-1])))
        elif name in ("APPENDS", "SETITEMS"):
            self._items(self._pop_to_mark())
        elif name in ("APPEND", "SETITEM"):
            self._items(self._pop_items(1 if name == "APPEND" else 2))
        elif name in ("REDUCE", "NEWOBJ", "BUILD"):
            self._check_call(name)
        elif name == "BINPERSID":
            self._storage(self._pop_items(1)[0])
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"{name}, which PyTorch never wrote")

    def _top(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) < count or _MARK in items:
            raise ValueError("a pickle that takes what is not there")
        return items

    def _pop_items(self, count: int) -> list[Any]:
        items = self._top(count)
        del self._stack[-count:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        """Pop the items above the last mark, and the mark."""
        items: list[Any] = []
        while self._stack:
            if (item := self._stack.pop()) is _MARK:
                return items[::-1]
            items.append(item)
        raise ValueError("a pickle without a mark where it needs one")

    def _tuple(self, items: list[Any]) -> None:
        for item in items:
            self._check_size(item)
        self._stack.append(tuple(items))

    def _items(self, items: list[Any]) -> None:
        for item in items:
            if not (_number(item) and item in _PLACES):
                self._check_size(item)
        self._top(1)

    def _check_call(self, name: str) -> None:
        """A call, or a state: only the arguments matter, which `_tuple` has checked already."""
        _, args = self._pop_items(2)
        if name != "BUILD" and not isinstance(args, tuple):
            raise ValueError("a call whose arguments are no tuple")
        self._check_size(args)
        self._stack.append(_OBJECT)

    def _storage(self, args: Any) -> None:
        """("storage", its class, key, device, elements, None or a view)."""
        if not (isinstance(args, tuple) and len(args) == 6 and isinstance(args[2], str) and _number(args[4])):
            raise ValueError("a storage in a form that PyTorch never wrote")
        key, count = args[2], args[4]
        if count < 0 or self.elements.setdefault(key, count) != count:
            raise ValueError("a storage of two sizes, or of less than nothing")
        self._stack.append(_OBJECT)

    def _check_size(self, item: Any) -> None:
        if _number(item) and abs(item) > self._most:
            raise ValueError(f"a size of {item} in so small a file")


def _number(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)
