"""A model's task, with the model's own declarations in place of the task's defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.core import Evidence, Facts, Model, Predictor, Runner, Sample, Task
from edgekit.errors import Unsupported
from edgekit.registry import find


def task_of(model: Model) -> Task:
    """The task of `model`. Raises UnknownName if no such task is installed."""
    task: Task = find("tasks", model.task.name)
    return task


def predictor_of(model: Model, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> Predictor:
    """The predictor of `model`, its own or its task's.

    Args:
        parts: by name. folder: of the bundle. facts: from `edgekit.core.Weights.prepare`.

    Raises:
        Unsupported: neither declares a predictor. UnknownName: no such task is installed.
    """
    make = model.task.predictor or task_of(model).predictor
    if make is None:
        raise Unsupported(f"{model.name} declares no predictor, and its task {model.task.name!r} has none.")
    return make(parts, folder, facts)


def samples_of(model: Model, folder: Path) -> Sequence[Sample]:
    """Labelled samples of a data folder, in the model's own layout or in its task's.

    Raises:
        BadInput: the folder has another layout. UnknownName: no such task is installed.
    """
    if model.task.samples is not None:
        return model.task.samples(folder)
    return task_of(model).samples(folder, model.task.labels)


def evidence_of(model: Model) -> Evidence | None:
    """The evidence of `model`, its own or its task's; None if there is none."""
    return model.task.evidence or task_of(model).evidence
