"""Files of arrays (.npz) from outside."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput


def read_arrays(file: Path, what: str, most: int = 1 << 30) -> dict[str, NDArray[Any]]:
    """Name -> array. The unpacked size is checked first, and nothing is unpickled.

    Args:
        what: names the file in errors, such as ``"the golden reference x.npz"``. most: unpacked bytes at most.

    Raises:
        BadInput: damaged, larger than `most`, or with something else than arrays of numbers and texts.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > most:
            raise BadInput(f"{what} unpacks to {size} bytes; at most {most} are read.")
        with np.load(file, allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in arrays.files}
    except BadInput:
        raise
    except Exception as exc:  # what NumPy and zipfile raise over a damaged file has no common base
        raise BadInput(f"{what} is not a sound .npz file of arrays: {exc}.", hint="Fetch or make it again.") from exc
    if other := [name for name, array in held.items() if not isinstance(array, np.ndarray) or _has_invalid_text(array)]:
        raise BadInput(f"{what} holds {other[0]!r}, which is no array of numbers or texts.")
    return held


def _has_invalid_text(array: NDArray[Any]) -> bool:
    """Whether it is one of texts with letters that there are not: NumPy fails over them where they are used."""
    if array.dtype.kind != "U" or not array.nbytes:
        return False
    letters = array.reshape(-1).astype(array.dtype.newbyteorder("=")).view("u4")
    return bool(letters.max() > sys.maxunicode)
