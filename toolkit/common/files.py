"""Files: checks of names from outside, hashes, and atomic writing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import BadInput

#: Most bytes of a text.
_LARGEST_TEXT = 64 << 20


def cache_folder() -> Path:
    """The folder EDGEKIT_CACHE, else the system's place for caches."""
    named = os.environ.get("EDGEKIT_CACHE")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("edgekit")


def is_inside(name: str) -> bool:
    """True for a plain relative path that stays below where it starts, on every system, and is safe to print."""
    steps = name.split("/")
    return not any(step in ("", ".", "..") for step in steps) and not re.search(r"[\\:\x00-\x1f\x7f]", name)


def hash_file(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def need_file(path: Path, what: str = "file") -> None:
    """Raise BadInput where there is no file at `path`; `what` names its kind."""
    if path.is_dir():
        raise BadInput(f"{str(path)!r} is a folder.", hint=f"Name one {what} of it.")
    if not path.is_file():
        raise BadInput(f"there is no {what} {str(path)!r}.")


def read_text(path: Path, most: int = _LARGEST_TEXT) -> str:
    """The content of a text from outside. Raises BadInput if it has more than `most` bytes, or is not UTF-8."""
    size = path.stat().st_size
    if size > most:
        raise BadInput(f"{path} has {size} bytes; a text may have {most}.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise BadInput(f"{path} is not a text in UTF-8: {exc.reason} at byte {exc.start}.") from exc


def describe_content(value: Any) -> str:
    """A sample's content as text: the hash of a file or an array, else its repr."""
    return _describe_content(value, {})


def _describe_content(value: Any, known: dict[tuple[Any, ...], tuple[Any, str]]) -> str:
    """known: arrays by where they lie, and what is said of each; held, so that no other comes to lie there. A decoder's
    calls share what the encoder said, each as an array of its own, and it is large."""
    if isinstance(value, (str, Path)) and os.path.isfile(value):  # noqa: PTH113  Path raises for a text of 300 letters
        return hash_file(Path(value))
    if hasattr(value, "describe"):  # calls in a file
        return str(value.describe())
    if hasattr(value, "ctypes"):
        where = (value.ctypes.data, value.shape, value.strides, value.dtype.str)
        if where not in known:
            known[where] = value, _describe_array(value)
        return known[where][1]
    if hasattr(value, "tobytes"):  # a number of numpy's
        return _describe_array(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name!r}: {_describe_content(item, known)}' for name, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_describe_content(item, known) for item in value)}]"
    return repr(value)


def _describe_array(value: Any) -> str:
    return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and vanishes when it does not.

    The data reaches the disk before the name does. Missing folders are made.

    Raises:
        BadInput: a folder or a device is there.
    """
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is not a plain file; it will not be replaced.", hint="Choose another place.")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    fresh.touch(exist_ok=False)  # readable as far as the umask allows; what tempfile makes is for its owner alone
    try:
        yield fresh
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def make_once(place: Path, make: Callable[[Path], object]) -> Path:
    """The file `place`; where there is none yet, `make` writes it to the path that it is given, in a folder of its own.
    It is there whole or not at all."""
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as work:
            fresh = Path(work) / place.name
            make(fresh)
            fresh.replace(place)
    return place


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` so that readers see the old content or the new, never a part."""
    with replacing(path) as fresh:
        fresh.write_bytes(data)
