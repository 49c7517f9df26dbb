"""Pinned weights -> verified files in the cache.

Sources are tried in order; every file is verified (size and sha256) after it arrives and again at each use. A mirror (a
folder of the user, EDGEKIT_MIRROR) is searched for pinned files before any download. A single process
writes at a time, others wait; a file gets its name only when it is complete. After a break or Ctrl-C, the next call
continues the partial file. Not here: the meaning of the files (`edgekit.formats.checkpoint`).

The cache, in the folder EDGEKIT_CACHE or the system's own place::

    sources/KEY/            the files of a source, verified
    sources/KEY.partial/    partial files
    sources/KEY.seen.json   sha256 of unpinned files at their first download
    hub/NAME.json           the last listing of a repository, for offline use
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import cache_folder
from edgekit.core import Progress, Source
from edgekit.errors import BadInput, FetchFailed, MissingExtra
from edgekit.sources import transports
from edgekit.sources.mirror import Mirror
from edgekit.sources.store import Store


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
        sources: tried in order, but a source that is complete in the cache or in the mirror comes before any download.
        cache: the cache folder; None: EDGEKIT_CACHE, else the system's place for caches.
        offline: use the cache and the mirror only; EDGEKIT_OFFLINE=1 means the same.
        mirror: a folder in which pinned files are looked up by their sha256; None: EDGEKIT_MIRROR, if that is set.
        progress: called with the current step, bytes done, and total bytes (0: not known).

    Returns:
        A folder with the files under their `SourceFile.name`, and the source of the files.

    Raises:
        FetchFailed: no source worked; the message gives the reason for each.
        BadInput: a file name that would leave the cache folder, or no such mirror.
    """
    offline = offline or _offline()
    for file in (file for source in sources for file in source.files):
        transports.safe_name(file.name)
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
            parts = [exc.message, exc.hint, near.lacking(store.source.files) if near else ""]
            reasons.append(f"\n  - {_redact_uri(store.source.uri)}: {' '.join(filter(None, parts))}")
        else:
            return store.folder, store.source
    again = "Run the same command once with a connection and without the offline setting, or" if offline else "Or"
    raise FetchFailed(
        "the weights could not be fetched. Tried:" + ("".join(reasons) or " nothing, there is no source."),
        hint=f"{again} give files that you have: edgekit export MODEL --weights PATH",
    )


def user_source(weights: str, *, cache: Path | None = None, offline: bool = False) -> Source | Path:
    """The path or source that a value of ``--weights`` means.

    Args:
        weights: a path, or an address of a scheme in `edgekit.sources.transports` (``hf://OWNER/REPO[@REVISION]``).
        cache, offline: as for `fetch`; offline, the last listing of a repository is used.

    Returns:
        The path, if it is a path; else a source for `fetch`, pinned only by the hub's own hashes.

    Raises:
        BadInput: no such path, or an address that cannot be read.
        FetchFailed: the repository cannot be listed. MissingExtra: `huggingface_hub` is absent.
    """
    kind = transports.TRANSPORTS.get(transports.scheme_of(weights))
    if kind is not None:
        return kind.source(weights, cache or cache_folder(), offline or _offline())
    path = _local_path(weights)
    if not path.exists():
        forms = dict.fromkeys(kind.form for kind in transports.TRANSPORTS.values())
        raise BadInput(
            f"there is no file or folder {weights!r}.", hint=f"--weights takes a path, or {', '.join(forms)}."
        )
    return path


def _local_path(text: str) -> Path:
    """The path of a plain path or a ``file://`` URI."""
    if text.startswith("file://"):
        from urllib.request import url2pathname

        text = url2pathname(urllib.parse.urlsplit(text).path)
    return Path(text).expanduser()


def _offline() -> bool:
    return os.environ.get("EDGEKIT_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _redact_uri(uri: str) -> str:
    """A source's URI without the host, user and query of an https address."""
    scheme, mark, rest = uri.partition("://")
    return (
        f"{scheme}://.../{rest.partition('?')[0].rpartition('/')[2]}" if scheme in ("https", "http") and mark else uri
    )


def _silent(what: str, done: int, total: int) -> None:
    pass
