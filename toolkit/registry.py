"""The folder is the registry: each public file or package below a room is an entry, named after the file.

``models/whisper/whisper_base.py`` defines ``MODEL`` and is known as ``whisper-base``; likewise ``TASK``, ``TARGET``,
``EXPORTER``, ``RUNTIME`` and ``IMPORTER``, which a package (``exporters/onnx/__init__.py``, known as ``onnx``) may
define, too. A package below ``models/`` may define ``FAMILY``, by which any checkpoint of that family is declared.
Names that begin with an underscore are private. A room's ``aliases.toml`` holds entries that are data: each table is
one, which ``aliases.py`` beside it declares. Other packages join through the entry points ``edgekit.models``,
``edgekit.tasks``, ``edgekit.targets``, ``edgekit.exporters``, ``edgekit.runtimes``, ``edgekit.importers`` and
``edgekit.families`` (its name is the registry name, its value the object).

Listing reads text and imports nothing, once for each `sys.path`; `find` imports a single file.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from edgekit.errors import UnknownName, Unsupported

if TYPE_CHECKING:
    from edgekit.core import Exporter, Family, Importer, Model, Runtime, Target, Task

    Entry = Model | Task | Target | Exporter | Runtime | Importer | Family

#: Room -> the name of the object that each of its entries defines.
ROOMS = {
    "models": "MODEL",
    "tasks": "TASK",
    "targets": "TARGET",
    "exporters": "EXPORTER",
    "runtimes": "RUNTIME",
    "importers": "IMPORTER",
    "families": "FAMILY",
}
#: Where a room's entries lie, if not in the folder of its name.
_FOLDERS = {"families": "models"}
#: What opens a group of entry points that joins a room, in the file of a package that is installed.
_GROUP = b"[edgekit."


class _Definition(NamedTuple):
    """A definition of an entry: its module, the package that owns it, and its loader."""

    name: str
    where: str
    owner: str
    load: Callable[[], Any]


def names(room: str) -> list[str]:
    """Names of all entries of a room, sorted, without importing any of them."""
    return sorted(_definitions_by_name(room, tuple(sys.path)))


@overload
def find(room: Literal["models"], name: str) -> Model: ...
@overload
def find(room: Literal["tasks"], name: str) -> Task: ...
@overload
def find(room: Literal["targets"], name: str) -> Target: ...
@overload
def find(room: Literal["exporters"], name: str) -> Exporter: ...
@overload
def find(room: Literal["runtimes"], name: str) -> Runtime: ...
@overload
def find(room: Literal["importers"], name: str) -> Importer: ...
@overload
def find(room: Literal["families"], name: str) -> Family: ...
@overload
def find(room: str, name: str) -> Entry: ...
def find(room: str, name: str) -> Entry:
    """The entry `name` of a room.

    Args:
        room: a key of `ROOMS`.
        name: as `names` gives it; underscores and dots ("qwen2.5") are read as hyphens.

    Raises:
        UnknownName: no such entry (the message lists similar names). Unsupported: it is defined twice; or it is another
            package's, and does not load, or lacks a declaration.
    """
    listed = _definitions_by_name(room, tuple(sys.path))
    entries = listed.get(_key(name))
    if entries is None:
        raise UnknownName.of(kind(room), name, listed)
    if len(entries) > 1:
        owners = " and by ".join(f"{entry.owner} ({entry.where})" for entry in entries)
        raise Unsupported(
            f"the {kind(room)} {name!r} is defined more than once: by {owners}.",
            hint="Uninstall or rename one of the two.",
        )
    return _load(room, entries[0])


def serving(model: Model, exporter: str) -> Model:
    """The declaration of `model` that `exporter` works from (see `edgekit.core.Exporter.demands`)."""
    variants = model.network.variants
    return next((variants[word] for word in find("exporters", exporter).demands if word in variants), model)


@functools.lru_cache(maxsize=64)
def _definitions_by_name(room: str, path: tuple[str, ...]) -> Mapping[str, tuple[_Definition, ...]]:
    """Name -> every definition of it, for a `sys.path` (its folders are not looked at again)."""
    listed: dict[str, list[_Definition]] = {}
    for entry in (*_own(room), *_aliases(room), *_others(room, path)):
        listed.setdefault(_key(entry.name), []).append(entry)
    return {name: tuple(entries) for name, entries in listed.items()}


def _own(room: str) -> Iterator[_Definition]:
    """The entries that the files of a room define, by their text."""
    package, defines = _package(room), re.compile(rb"^%s\b[^=\n]*=" % ROOMS[room].encode(), re.MULTILINE)
    for name, path in (entry for folder in _folders(room) for entry in _public(folder, package)):
        if defines.search(path.read_bytes()):
            load = functools.partial(_attribute, name, ROOMS[room])
            yield _Definition(name.rpartition(".")[2], name, "edgekit", load)


def _aliases(room: str) -> Iterator[_Definition]:
    """The entries that are tables of a room's ``aliases.toml``."""
    if room in _FOLDERS:
        return
    for path in (folder / "aliases.toml" for folder in _folders(room)):
        for name in _tables(path) if path.is_file() else ():
            load = functools.partial(_alias, f"edgekit.{room}.aliases", name)
            yield _Definition(name, f"{room}/{path.name}", "edgekit", load)


def _tables(path: Path) -> list[str]:
    import tomllib

    return list(tomllib.loads(path.read_text("utf-8")))


def _package(room: str) -> str:
    return f"edgekit.{_FOLDERS.get(room, room)}"


def _folders(room: str) -> list[Path]:
    return [Path(folder) for folder in importlib.import_module(_package(room)).__path__]


def _alias(module: str, name: str) -> Any:
    return importlib.import_module(module).alias(name)


def _attribute(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _public(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every public module and package below `folder`."""
    for path in sorted(folder.iterdir()):
        name = f"{package}.{path.stem}"
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py":
            yield name, path
        elif (path / "__init__.py").is_file():
            yield name, path / "__init__.py"
            yield from _public(path, name)


def has_others() -> bool:
    """Whether any other package on `sys.path` defines entries."""
    return bool(_points(tuple(sys.path)))


@functools.lru_cache(maxsize=8)
def _points(path: tuple[str, ...]) -> tuple[Any, ...]:
    """The entry points of a `sys.path` that join rooms. Python's own reader loads slowly, so first a quick look."""
    if not any(_joins(Path(folder)) for folder in path):
        return ()
    import importlib.metadata

    points = importlib.metadata.entry_points()
    return tuple(point for room in ROOMS for point in points.select(group=f"edgekit.{room}"))


def _joins(folder: Path) -> bool:
    """Whether a package that is installed in a folder may define entries; a file, such as a zip of packages, may."""
    if not folder.is_dir():
        return folder.is_file()
    files = (info / "entry_points.txt" for info in folder.iterdir() if info.suffix in (".dist-info", ".egg-info"))
    return any(_GROUP in file.read_bytes() for file in files if file.is_file())


def _others(room: str, path: tuple[str, ...]) -> Iterator[_Definition]:
    """The entries that other packages define, by their entry points."""
    for point in _points(path):
        if point.group != f"edgekit.{room}":
            continue
        owner = f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
        yield _Definition(point.name, point.value, owner, point.load)


def _key(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def kind(room: str) -> str:
    """What an entry of a room is called: "model" of "models"."""
    return "family" if room == "families" else room.rstrip("s")


def _load(room: str, entry: _Definition) -> Entry:
    from edgekit import core

    wanted: type[Entry] = getattr(core, ROOMS[room].capitalize())
    what, remedy = f"the {kind(room)} {entry.name!r} of {entry.owner}", "Upgrade that package, or uninstall it."
    try:
        loaded = entry.load()
    except Exception as exc:  # another package's code: anything can happen while it is imported
        if entry.owner == "edgekit":
            raise
        raise Unsupported(f"{what} cannot be loaded: {type(exc).__name__}: {exc}.", hint=remedy) from exc
    if not isinstance(loaded, wanted):
        raise Unsupported(f"{what} is no edgekit.core.{wanted.__name__}.", hint=remedy)
    interface = getattr(loaded, "interface", None)
    due = core.INTERFACE
    if isinstance(loaded, core.Exporter | core.Runtime) and entry.owner != "edgekit" and interface != due:
        raise Unsupported(
            f"{what} is of interface {interface or 'none, as those of edgekit 0.2'}; this edgekit takes {due}.",
            hint=f"Its author: an exporter writes files, a Runtime opens them (docs: Add a runtime); then interface = "
            f"{due}.",
        )
    if isinstance(loaded, core.Exporter | core.Runtime) and (missing := loaded.missing_attributes()):
        raise Unsupported(f"{what} declares no {', '.join(map(repr, missing))}.", hint=remedy)
    if isinstance(loaded, core.Runtime) and (pairs := loaded.contradictions()):
        raise Unsupported(f"{what} has constraints that contradict each other: {'; '.join(pairs)}.", hint=remedy)
    return loaded
