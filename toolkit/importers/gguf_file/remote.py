"""The headers of a .gguf at an address: parts of files, where the address allows it, and no download."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.core import Progress, Source, SourceFile
from edgekit.errors import FetchFailed
from edgekit.formats import gguf
from edgekit.sources import fetch, transports, user_source

#: A repository that says by its name that it holds such files, or of which one is named.
_REPOSITORY = re.compile(r"hf://[\w.-]+/([\w.-]*gguf[\w.-]*(@[\w./-]+)?|[\w.-]+(@[\w./-]+)?:.+)", re.IGNORECASE)


def accepts(source: str) -> bool:
    """Whether the address is that of a .gguf, or of a repository of them."""
    if transports.scheme_of(source) not in transports.TRANSPORTS:
        return False
    named = source.partition("?")[0].lower().endswith(".gguf")
    return _REPOSITORY.fullmatch(source) is not None or (named and not source.startswith("hf://"))


def headers(source: str, offline: bool, progress: Progress) -> tuple[list[gguf.Gguf], str]:
    """The headers of all shards at an address, in order; and the licence that its repository states, or "".

    A scheme whose files come as a whole (packages), and a machine without network, take the files of the cache.

    Raises:
        BadInput: a file is damaged, or the address means none or several. FetchFailed: it cannot be reached, or the
        server sends whole files only.
    """
    listed = user_source(source, offline=offline)
    assert isinstance(listed, Source)
    licence = "" if listed.licence == "unknown" else listed.licence
    if offline or not all(transports.partial(file.pieces[0]) for file in listed.files):
        folder, _ = fetch([listed], offline=offline, progress=progress)
        return [gguf.read(folder / file.name) for file in listed.files], licence
    progress(f"reading the header of {Path(listed.files[0].name).name}", 0, 0)
    return [_header(file) for file in listed.files], licence


def _header(file: SourceFile) -> gguf.Gguf:
    piece = file.pieces[0]
    try:
        _, size = transports.part(piece, 0, 1)
        return gguf.read_start(lambda start, length: transports.part(piece, start, length)[0], file.name, size)
    except FetchFailed as exc:
        raise FetchFailed(
            f"the header of {file.name} could not be read: {exc.message}",
            hint="Download the file yourself, then: edgekit fit FILE.gguf",
        ) from exc
