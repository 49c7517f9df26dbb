"""What a transport is, and the check on every name that comes from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgekit.common.files import is_inside
from edgekit.core import Progress, Source, SourceFile
from edgekit.errors import BadInput

__all__ = ["Bounds", "Transport", "safe_name", "single"]


class Bounds(NamedTuple):
    """What a transport must keep to.

    Attributes:
        limit: bytes that this piece may have at most. pinned: whether the caller will check a hash.
        tick: called with the number of bytes that are there.
    """

    limit: int
    pinned: bool
    tick: Callable[[int], None]


class Transport(ABC):
    """One way to bring files, for the addresses of one scheme or more. It lives while one source is fetched.

    Args:
        folder: for what it keeps so long; it need not exist, and is deleted afterwards. tell: progress.

    Attributes:
        schemes: of its addresses, without ``://``. form: what an address given by hand looks like.
        resumes: whether `get` continues what lies in `out`. Else a failure leaves nothing there.
    """

    schemes: tuple[str, ...]
    form: str
    resumes: bool = False

    def __init__(self, folder: Path, tell: Progress) -> None:
        self._folder, self._tell = folder, tell

    @classmethod
    @abstractmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        """What an address given by hand means: a source for `edgekit.sources.fetch`, not pinned.

        Args:
            cache: the cache folder, for what must be known offline, too.

        Raises:
            BadInput: the address cannot be read. FetchFailed, MissingExtra: it means several files, which cannot be
            listed.
        """

    @abstractmethod
    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        """Bring one piece, a URI as in `SourceFile.pieces`, to the file `out`, whose folder exists.

        Raises:
            FetchFailed: it could not be had; the message is the reason alone. BadInput: the URI cannot be read.
            MissingExtra: the transport needs a package or program that is absent.
        """


def safe_name(name: str) -> str:
    """`name` itself, if it is a relative path that stays below where it starts.

    Raises:
        BadInput: an absolute path, a drive, ``..``, a backslash or a control character.
    """
    if not is_inside(name):
        raise BadInput(f"the file name {name!r} is not accepted: it must be a plain relative path.")
    return name


def single(uri: str, revision: str, name: str) -> Source:
    """The source of one file that nobody pinned."""
    return Source(uri=uri, revision=revision, licence="unknown", files=(SourceFile(name, None, None, (uri,)),))
