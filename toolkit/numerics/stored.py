"""Inputs of calls, in a file: those of a decoder take several times the memory of its weights."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds


class _Place(NamedTuple):
    """An array in the file: where it begins, its shape, and its dtype as numpy writes it."""

    start: int
    shape: tuple[int, ...]
    dtype: str


class StoredFeeds(Sequence[Feeds]):
    """The inputs of calls, which are read again whenever they are looked at. A slice reads nothing.

    What calls share with the call before (what an encoder said, for all steps of a decoder) is written and read once.

    Args:
        file: does not exist yet; it must stay where it is as long as anybody looks.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._size = file, 0
        self._calls = list[Mapping[str, _Place]]()
        #: The arrays of the last call, by where they lie in memory; alive, so that no other comes to lie there.
        self._last = dict[tuple[Any, ...], tuple[NDArray[Any], _Place]]()
        self._read = dict[_Place, NDArray[Any]]()
        self._digests = dict[_Place, str]()

    def append(self, feeds: Feeds) -> None:
        """Write the inputs of a call behind the others. Values are not to be changed in place until the next call."""
        last, call = self._last, dict[str, _Place]()
        self._last = {}
        with self._file.open("ab") as file:
            for name, value in feeds.items():
                array = np.asarray(value, order="C")
                where = (array.ctypes.data, array.shape, array.dtype.str)
                if where not in last:
                    last[where] = array, _Place(self._size, array.shape, array.dtype.str)
                    self._size += file.write(array.tobytes())
                self._last[where] = last[where]
                call[name] = last[where][1]
        self._calls.append(call)

    def close(self) -> None:
        """No more calls are written: let go of the last one's arrays."""
        self._last = {}

    def __len__(self) -> int:
        return len(self._calls)

    @overload
    def __getitem__(self, index: int) -> Feeds: ...

    @overload
    def __getitem__(self, index: slice) -> StoredFeeds: ...

    def __getitem__(self, index: int | slice) -> Feeds | StoredFeeds:
        if isinstance(index, slice):
            some = StoredFeeds(self._file)
            some._calls, some._digests = self._calls[index], self._digests
            return some
        places = self._calls[index]
        self._read = {place: self._array(place) for place in places.values()}
        return {name: self._read[place] for name, place in places.items()}

    def _array(self, place: _Place) -> NDArray[Any]:
        if place in self._read:
            return self._read[place]
        count = math.prod(place.shape)
        return np.fromfile(self._file, place.dtype, count, offset=place.start).reshape(place.shape)

    def describe(self) -> str:
        """All of it as text, arrays by their hashes: each array is read once, one at a time."""
        for place in {place: None for call in self._calls for place in call.values()}:
            if place not in self._digests:
                content = hashlib.sha256(self._array(place).data).hexdigest()
                self._digests[place] = f"{place.dtype} {place.shape} {content}"
        return repr([{name: self._digests[place] for name, place in call.items()} for call in self._calls])
