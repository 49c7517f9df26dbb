"""The catalogue: models, tasks, targets, exporters, runtimes, importers and families, with facts for people."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.common.files import cache_folder, write_whole
from edgekit.errors import BadInput, Unsupported
from edgekit.registry import ROOMS, find, has_others, kind, names

if TYPE_CHECKING:
    from edgekit.core import Exporter, Family, Importer, Model, Runtime, Target, Task


def list_(room: str | None = None) -> dict[str, list[dict[str, str]]]:
    """Facts of every entry, by room. An entry of another package that does not load is left out, with a warning on
    standard error.

    What edgekit's own files say is kept in the cache until one of them changes: to import them all takes half a second.

    Args:
        room: a key of `edgekit.registry.ROOMS`; None: all rooms.
    """
    wanted = [room] if room else list(ROOMS)
    if has_others():
        return {name: _entries(name) for name in wanted}
    key, place = _state_of_files(), cache_folder() / "catalogue.json"
    known: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):  # absent, or spoilt
        known = dict(json.loads(place.read_bytes()))
    if known.get("key") != key:
        known = {"key": key, "rooms": {name: _entries(name) for name in ROOMS}}
        with contextlib.suppress(OSError, BadInput):  # a cache that nobody can write
            write_whole(place, json.dumps(known).encode())
    return {name: known["rooms"][name] for name in wanted}


def _state_of_files() -> str:
    """A hash of the names, sizes and times of edgekit's files."""
    states = sorted(_states(Path(__file__).parent))
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _states(folder: Path) -> Iterator[tuple[str, int, int]]:
    """The path, size in bytes and time in ns of every file below a folder, but Python's own."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _states(Path(entry)) if entry.name != "__pycache__" else ()
        else:
            state = entry.stat()
            yield entry.path, state.st_size, state.st_mtime_ns


def _entries(room: str) -> list[dict[str, str]]:
    entries = []
    for name in names(room):
        try:
            entries.append({kind(room): name, **_FACTS[room](find(room, name))})
        except Unsupported as exc:
            print(f"edgekit: {exc}", file=sys.stderr)
    return entries


def _model(model: Model) -> dict[str, str]:
    from edgekit.common.figures import figure

    parameters = figure(model.network.parameters, "parameters")
    known = {"task": model.task.name, "parameters": parameters, "licence": model.identity.licence}
    return {**known, "note": model.identity.note}


def _task(task: Task) -> dict[str, str]:
    return {"sample": task.sample, "metric": task.metric}


def _target(target: Target) -> dict[str, str]:
    recipe = target.recipes.get("*")
    default = f"{recipe.runtime} {recipe.precision}" if recipe else "by task"
    return {"system": target.system, "processor": target.processor, "default": default}


def _exporter(exporter: Exporter) -> dict[str, str]:
    return {"precisions": ", ".join(exporter.precisions), "extra": exporter.extra}


def _runtime(runtime: Runtime) -> dict[str, str]:
    return {"files of": ", ".join(runtime.formats), "runs here": runtime.runs, "extra": runtime.extra}


def _importer(importer: Importer) -> dict[str, str]:
    return {"source": importer.form, "extra": importer.extra}


def _family(family: Family) -> dict[str, str]:
    return {"task": family.usage.name, "checkpoints": f"hf:// or a folder: {', '.join(family.architectures)}"}


_FACTS: Mapping[str, Callable[[Any], dict[str, str]]] = {
    "models": _model,
    "tasks": _task,
    "targets": _target,
    "exporters": _exporter,
    "runtimes": _runtime,
    "importers": _importer,
    "families": _family,
}
