"""Files that lie in edgekit itself, among the data of its models: weights that edgekit's own scripts trained."""

from __future__ import annotations

from pathlib import Path

from edgekit.common import package_data
from edgekit.core import Source
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources.transports.contract import Bounds, Transport, safe_name, single

_SCHEME = "edgekit"


class Packaged(Transport):
    """Copies; nothing is downloaded."""

    schemes = (_SCHEME,)
    form = f"{_SCHEME}://path/among/the/models"
    local = True

    @classmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        return single(address, "", Path(_place(address)).name)

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        place = _place(piece)
        try:
            data = package_data.read(place)
        except OSError as exc:
            raise FetchFailed(f"edgekit has no file {place}; is the installation whole?") from exc
        if len(data) > bounds.limit:
            raise FetchFailed(f"{place} has {len(data)} bytes, but at most {bounds.limit} were expected")
        out.write_bytes(data)
        bounds.tick(len(data))


def _place(address: str) -> str:
    """The file's path in the models room. Raises BadInput for another address, or one that leaves the room."""
    scheme, _, place = address.partition("://")
    if scheme != _SCHEME or not place:
        raise BadInput(f"{address!r} is not of the form {Packaged.form}.")
    return safe_name(place)


TRANSPORT = Packaged
