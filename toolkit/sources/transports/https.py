"""Files of any web server, by their address."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from edgekit.core import Source
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources import web
from edgekit.sources.transports.contract import Bounds, Transport, safe_name, single

__all__ = ["TRANSPORT", "Https"]


class Https(Transport):
    """Downloads (http on this very machine only, see `web.check_url`)."""

    schemes = ("https", "http")
    form = "https://.../file"
    resumes = True

    @classmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        try:
            web.check_url(address)
        except FetchFailed as exc:
            raise BadInput(f"{address!r} cannot be used: {exc.message}.") from exc
        name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])
        if not name:
            raise BadInput(f"{address!r} names no file.", hint="Give the address of one file, or a folder on disk.")
        return single(address, "", safe_name(name))

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        web.download(piece, out, limit=bounds.limit, pinned=bounds.pinned, tick=bounds.tick)


TRANSPORT = Https
