"""The directory is the registry: one file in a room is one entry, and its name is the file's name.

``models/whisper_base.py`` defines ``MODEL`` and is known as ``whisper-base``; likewise ``TARGET`` and ``EXPORTER``.
Files that begin with an underscore are a room's private helpers. Other packages join through the entry points
``edgekit.models``, ``edgekit.targets`` and ``edgekit.exporters`` (its name is the registry name, its value the object).

Listing imports nothing; finding imports one file. No state is kept here: Python's own module cache is enough.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

from edgekit.errors import UnknownName, Unsupported

__all__ = ["ROOMS", "find", "names"]

#: Room -> the name of the object that each of its files defines.
ROOMS = {"models": "MODEL", "targets": "TARGET", "exporters": "EXPORTER"}


def names(room: str) -> list[str]:
    """Names of all entries of a room, sorted, without importing any of them."""
    return sorted({*_files(room), *_entry_points(room)})


def find(room: str, name: str) -> Any:
    """The entry `name` of a room.

    Args:
        room: ``"models"``, ``"targets"`` or ``"exporters"``.
        name: as `names` gives it; underscores and dots ("qwen2.5") are read as hyphens.

    Raises:
        UnknownName: no such entry (the message lists near ones). Unsupported: another package's, and it does not load.
    """
    wanted = _key(name)
    files = _files(room)
    if wanted in files:
        module = importlib.import_module(f"edgekit.{room}.{files[wanted]}")
        return getattr(module, ROOMS[room])
    points = _entry_points(room)
    if wanted in points:
        return _load(room, points[wanted])
    raise UnknownName.of(room.rstrip("s"), name, [*files, *points])


def _files(room: str) -> dict[str, str]:
    spec = importlib.util.find_spec(f"edgekit.{room}")
    found: dict[str, str] = {}
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder).glob("*.py"):
            if not path.stem.startswith("_"):
                found[path.stem.replace("_", "-")] = path.stem
    return found


def _entry_points(room: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {_key(point.name): point for point in importlib.metadata.entry_points(group=f"edgekit.{room}")}


def _key(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def _load(room: str, point: importlib.metadata.EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as exc:  # another package's code: anything can happen while it is imported
        owner = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        raise Unsupported(
            f"the {room.rstrip('s')} {point.name!r} of {owner} cannot be loaded: {type(exc).__name__}: {exc}.",
            hint="Upgrade that package, or uninstall it.",
        ) from exc
