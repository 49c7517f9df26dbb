"""Transports: a table of address schemes. A new scheme is a file here that defines ``TRANSPORT``."""

from __future__ import annotations

import contextlib
import importlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgekit.core import Progress
from edgekit.errors import FetchFailed
from edgekit.sources.transports.contract import Bounds, Transport, safe_name

__all__ = ["TRANSPORTS", "Bounds", "Fetcher", "fetcher", "local", "part", "partial", "safe_name", "scheme_of"]


def _kinds() -> Iterator[type[Transport]]:
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if b"\nTRANSPORT = " in file.read_bytes():
            yield importlib.import_module(f"{__name__}.{file.stem}").TRANSPORT


#: Scheme -> the transport of its addresses.
TRANSPORTS: Mapping[str, type[Transport]] = {scheme: kind for kind in _kinds() for scheme in kind.schemes}


def scheme_of(address: str) -> str:
    """The scheme of an address; "" for a path."""
    scheme, mark, _ = address.partition("://")
    return scheme if mark else ""


def local(piece: str) -> bool:
    """Whether a piece lies on this machine."""
    return scheme_of(piece) in TRANSPORTS and TRANSPORTS[scheme_of(piece)].local


def partial(piece: str) -> bool:
    """Whether a piece can be read in part."""
    return scheme_of(piece) in TRANSPORTS and TRANSPORTS[scheme_of(piece)].partial


def part(piece: str, start: int, size: int) -> tuple[bytes, int]:
    """See `Transport.part`."""
    return TRANSPORTS[scheme_of(piece)].part(piece, start, size)


class Fetcher:
    """The transports of a source, each made when it is first needed. `folder` holds their temporary files."""

    def __init__(self, folder: Path, tell: Progress) -> None:
        self._folder, self._tell = folder, tell
        self._made: dict[type[Transport], Transport] = {}

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        """Download a piece (see `Transport.get`)."""
        scheme = scheme_of(piece)
        if not scheme:
            raise FetchFailed("a path is not a pinned address")
        if scheme not in TRANSPORTS:
            raise FetchFailed(f"{scheme}:// is not a kind of address that is known here")
        kind = TRANSPORTS[scheme]
        if kind not in self._made:
            self._made[kind] = kind(self._folder / kind.__name__.lower(), self._tell)
        try:
            self._made[kind].get(piece, out, bounds)
        except BaseException:  # Ctrl-C too
            if not kind.resumes:  # its partial file is of no use
                out.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def fetcher(folder: Path, tell: Progress) -> Iterator[Fetcher]:
    """A `Fetcher` whose folder is deleted at the end, and at the start: a killed process may have left files."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield Fetcher(folder, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
