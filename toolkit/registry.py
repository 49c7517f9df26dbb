"""The folder is the registry: one public file or package below a room is one entry, and its name is the file's name.

``models/whisper/whisper_base.py`` defines ``MODEL`` and is known as ``whisper-base``; likewise ``TASK``, ``TARGET`` and
``EXPORTER``, which a package (``exporters/onnx/__init__.py``, known as ``onnx``) may define, too. Names that begin
with an underscore are private. Other packages join through the entry points ``edgekit.models``, ``edgekit.tasks``,
``edgekit.targets`` and ``edgekit.exporters`` (its name is the registry name, its value the object).

Listing reads text and imports nothing; `find` imports one file. No state is kept here: Python's own module cache is
enough.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.errors import UnknownName, Unsupported

__all__ = ["ROOMS", "find", "names"]

#: Room -> the name of the object that each of its entries defines.
ROOMS = {"models": "MODEL", "tasks": "TASK", "targets": "TARGET", "exporters": "EXPORTER"}


def names(room: str) -> list[str]:
    """Names of all entries of a room, sorted, without importing any of them."""
    return sorted({*_modules(room), *_entry_points(room)})


def find(room: str, name: str) -> Any:
    """The entry `name` of a room.

    Args:
        room: one of `ROOMS`.
        name: as `names` gives it; underscores and dots ("qwen2.5") are read as hyphens.

    Raises:
        UnknownName: no such entry (the message lists near ones). Unsupported: another package's, and it does not load.
    """
    wanted = _key(name)
    modules = _modules(room)
    if wanted in modules:
        return getattr(importlib.import_module(modules[wanted]), ROOMS[room])
    points = _entry_points(room)
    if wanted in points:
        return _load(room, points[wanted])
    raise UnknownName.of(room.rstrip("s"), name, [*modules, *points])


def _modules(room: str) -> dict[str, str]:
    """Entry -> dotted name of the module that defines it, by the text of the files."""
    spec = importlib.util.find_spec(f"edgekit.{room}")
    defines = re.compile(rb"^%s\b[^=\n]*=" % ROOMS[room].encode(), re.MULTILINE)
    folders = spec.submodule_search_locations or () if spec else ()
    modules = {}
    for name, path in (entry for folder in folders for entry in _public(Path(folder), f"edgekit.{room}")):
        if defines.search(path.read_bytes()):
            modules[_key(name.rpartition(".")[2])] = name
    return modules


def _public(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every public module and package below `folder`."""
    for path in folder.iterdir():
        name = f"{package}.{path.stem}"
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py":
            yield name, path
        elif (path / "__init__.py").is_file():
            yield name, path / "__init__.py"
            yield from _public(path, name)


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
