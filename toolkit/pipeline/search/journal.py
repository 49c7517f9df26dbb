"""The measured points of a search, kept in a file beside the bundle, so that an interrupted search goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgekit.common.files import write_whole
from edgekit.gate.frontier import Point


def journal_of(place: Path) -> Path:
    """The file beside the bundle at `place`. It goes when the bundle is there: its points are in the bundle then."""
    return place.with_name(f"{place.name}.search.json")


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    points: dict[str, Point]


class Journal:
    """The points of one search.

    Args:
        file: where they are kept. key: of the search; points of another one are not read.
    """

    def __init__(self, file: Path, key: str) -> None:
        self.file = file
        self._kept = _Kept(key, {})
        try:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return  # there is none, or a stranger's: the search begins anew
        if kept.key == key:
            self._kept = kept

    def __len__(self) -> int:
        return len(self._kept.points)

    @property
    def points(self) -> dict[str, Point]:
        """Recipe -> what was measured of it so far."""
        return dict(self._kept.points)

    def add(self, point: Point) -> None:
        """Keep `point`, at once."""
        self._kept.points[point.recipe] = point
        write_whole(self.file, msgspec.json.format(msgspec.json.encode(self._kept)) + b"\n")
