"""Files that a task on another machine reads: taken from a shared disk, or sent once and kept in the cache there."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edgekit.common.figures import figure
from edgekit.common.files import cache_folder, hash_file, is_inside
from edgekit.errors import BadInput

#: Bytes that travel at most: they lie in the memory of the scheduler.
MOST = 4 << 30


class Parcel(NamedTuple):
    """A file or a folder.

    Attributes:
        path: where it is on the machine that sends it. files: name below the folder of `path` -> sha256; all of them
            travel, so a file may bring others that lie beside it.
    """

    path: str
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Hash of names and contents."""
        return hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()


def parcel(path: Path, beside: Iterable[Path] = ()) -> Parcel:
    """The file or folder at `path`, with the files `beside` it."""
    path = path.expanduser().absolute()
    inside = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    files = [*inside, *(item.absolute() for item in beside if item.is_file())]
    return Parcel(str(path), {item.relative_to(path.parent).as_posix(): hash_file(item) for item in files})


def pack_parcels(parcels: Sequence[Parcel]) -> bytes:
    """All files as an uncompressed archive: weights hardly compress.

    Raises:
        BadInput: more than a scheduler should hold.
    """
    places = {
        f"{item.digest}/{name}": Path(item.path).parent / name for item in parcels for name in item.files
    }  # the same files once, whoever names them
    size = sum(place.stat().st_size for place in places.values())
    if size > MOST:
        raise BadInput(
            f"{figure(size, 'B')} of files are too much to send to a worker.",
            hint="Put them on a disk that the workers share, at the same path.",
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, place in places.items():
            archive.write(place, name)
    return buffer.getvalue()


def receive_parcels(parcels: Sequence[Parcel], payload: bytes | None) -> list[Path] | None:
    """On the other machine: the place of each; None if one is neither here, nor in the cache, nor in `payload`.

    Raises:
        BadInput: an archive with files outside of it, or with other contents than were sent.
    """
    if payload is not None:
        _unpack(payload, cache_folder() / "parcels")
    places = [_place(item) for item in parcels]
    known = [place for place in places if place is not None]
    return known if len(known) == len(places) else None


def _place(item: Parcel) -> Path | None:
    shared = Path(item.path)
    folders = (shared.parent, cache_folder() / "parcels" / item.digest)
    return next((folder / shared.name for folder in folders if _holds(folder, item.files)), None)


def _holds(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether the files are there, each with its sha256: those of the cache, too, which a disk may damage."""
    return all((folder / name).is_file() and hash_file(folder / name) == sha256 for name, sha256 in files.items())


def _unpack(payload: bytes, cache: Path) -> None:
    """Unpack into the cache, each parcel whole or not at all."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".partial-") as scratch:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            if not all(is_inside(name) for name in archive.namelist()):
                raise BadInput("what came to this worker has files outside of it.")
            archive.extractall(scratch)
        for fresh in Path(scratch).iterdir():
            inside = (path for path in fresh.rglob("*") if path.is_file())
            files = {path.relative_to(fresh).as_posix(): hash_file(path) for path in inside}
            if Parcel("", files).digest != fresh.name:
                raise BadInput("what came to this worker is not what was sent.", hint="Run the same command again.")
            place = cache / fresh.name
            if not _holds(place, files):
                shutil.rmtree(place, ignore_errors=True)
                fresh.replace(place)
