"""The catalogue: models, tasks, targets, exporters, runtimes, importers and families, with facts for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from edgekit.common.figures import figure
from edgekit.core import Exporter, Family, Importer, Model, Runtime, Target, Task
from edgekit.errors import Unsupported
from edgekit.registry import ROOMS, find, kind, names

__all__ = ["list_"]


def list_(room: str | None = None) -> dict[str, list[dict[str, str]]]:
    """Facts of every entry, by room. An entry of another package that does not load is left out, with a warning on
    standard error.

    Args:
        room: a key of `edgekit.registry.ROOMS`; None: all rooms.
    """
    return {name: _entries(name) for name in ([room] if room else ROOMS)}


def _entries(room: str) -> list[dict[str, str]]:
    entries = []
    for name in names(room):
        try:
            entries.append({kind(room): name, **_FACTS[room](find(room, name))})
        except Unsupported as exc:
            print(f"edgekit: {exc}", file=sys.stderr)
    return entries


def _model(model: Model) -> dict[str, str]:
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
