"""The contract of transports, and the check of file names from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgekit.common.files import is_inside
from edgekit.core import Progress, Source, SourceFile
from edgekit.errors import BadInput, FetchFailed


class Bounds(NamedTuple):
    """Limits of a download.

    Attributes:
        limit: most bytes of this piece. pinned: whether the caller will check a hash.
        tick: called with the number of bytes received so far.
    """

    limit: int
    pinned: bool
    tick: Callable[[int], None]


class Transport(ABC):
    """A way to download files, for one or more address schemes. An instance is used for a single source.

    Args:
        folder: for temporary files; it need not exist, and is deleted afterwards. tell: progress.

    Attributes:
        schemes: of its addresses, without ``://``. form: the form of a user's address, for messages.
        resumes: whether `get` continues a partial file `out`. If not, `out` is deleted after a failure.
        partial: whether `part` works.
        local: whether its files lie on this machine, so that nothing is lacking offline.
    """

    schemes: tuple[str, ...]
    form: str
    resumes: bool = False
    partial: bool = False
    local: bool = False

    def __init__(self, folder: Path, tell: Progress) -> None:
        self._folder, self._tell = folder, tell

    @classmethod
    @abstractmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        """The source that a user's address means, for `edgekit.sources.fetch`; not pinned.

        Args:
            cache: the cache folder, for listings that are needed offline.

        Raises:
            BadInput: the address cannot be read. FetchFailed, MissingExtra: it means several files, which cannot be
            listed.
        """

    @abstractmethod
    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        """Download a piece, a URI as in `SourceFile.pieces`, to the file `out`, whose folder exists.

        Raises:
            FetchFailed: the download failed; the message is the reason alone. BadInput: the URI cannot be read.
            MissingExtra: the transport needs a package or program that is absent.
        """

    @classmethod
    def part(cls, piece: str, start: int, size: int) -> tuple[bytes, int]:
        """`size` bytes of a piece from `start` on (fewer at its end), and the size of the whole piece.

        Raises:
            FetchFailed: it cannot be reached, or only be had as a whole. BadInput, MissingExtra: as `get`.
        """
        raise FetchFailed(f"files of {cls.schemes[0]}:// come as a whole")


def safe_name(name: str) -> str:
    """`name` itself, if it is a relative path that stays below where it starts.

    Raises:
        BadInput: an absolute path, a drive, ``..``, a backslash or a control character.
    """
    if not is_inside(name):
        raise BadInput(f"the file name {name!r} is not accepted: it must be a plain relative path.")
    return name


def single(uri: str, revision: str, name: str) -> Source:
    """The source of a single unpinned file."""
    return Source(uri=uri, revision=revision, licence="unknown", files=(SourceFile(name, None, None, (uri,)),))
