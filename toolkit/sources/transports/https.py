"""Files of any web server, by their address. A shard of a .gguf stands for all of them."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed
from edgekit.formats.gguf import shards_of
from edgekit.sources import web
from edgekit.sources.transports.contract import Bounds, Transport, safe_name, single


class Https(Transport):
    """Downloads (http on this very machine only, see `web.check_url`)."""

    schemes = ("https", "http")
    form = "https://.../file"
    resumes = True
    partial = True

    @classmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        try:
            web.check_url(address)
        except FetchFailed as exc:
            raise BadInput(f"{address!r} cannot be used: {exc.message}.") from exc
        name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])
        if not name:
            raise BadInput(f"{address!r} names no file.", hint="Give the address of one file, or a folder on disk.")
        shards = shards_of(safe_name(name))
        if len(shards) == 1:
            return single(address, "", name)
        files = tuple(SourceFile(shard, None, None, (address.replace(name, shard),)) for shard in shards)
        return Source(uri=address, revision="", licence="unknown", files=files)

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        web.download(piece, out, limit=bounds.limit, pinned=bounds.pinned, tick=bounds.tick)

    @classmethod
    def part(cls, piece: str, start: int, size: int) -> tuple[bytes, int]:
        return web.part(piece, start, size)


TRANSPORT = Https
