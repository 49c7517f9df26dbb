"""A model with code of its own as a declaration: its code runs in a child, and gives a graph."""

from __future__ import annotations

from dataclasses import replace

from edgekit.core import Facts, ImportOptions, Inspection, Model, Progress
from edgekit.errors import Unsupported
from edgekit.importers.common.foreign.traced import Traced, trace_in_child
from edgekit.importers.common.graphs import bounds_of, declared_graph, inspect_program
from edgekit.importers.hub.kinds.arrays import inputs_of
from edgekit.importers.hub.repository import Repository, whole


def declared_trusted(repository: Repository, options: ImportOptions, progress: Progress) -> Model:
    """The model of `repository`, arrays in and arrays out. Its weights are fetched, for its code reads them itself.

    Raises:
        Unsupported: another task is wanted, or its inputs cannot be read from its settings. BadInput: its code raises,
        takes too long, or tries what it may not do.
    """
    held = _trace_repository(repository, options, progress)
    return declared_graph(
        repository.source,
        "hub",
        held.program,
        bounds_of(held.program, options.axes),
        replace(options, task="tensors"),
        held.samples,
        synthetic=True,
    )


def inspected_trusted(repository: Repository, options: ImportOptions, progress: Progress) -> Inspection:
    """The description of its graph."""
    held = _trace_repository(repository, options, progress)
    described = inspect_program(
        repository.source, "hub", held.program, bounds_of(held.program, options.axes), ("tensors",)
    )
    named = repository.config.get("architectures") or [described.architecture]
    return replace(described, architecture=str(named[0]), licence=repository.licence)


def _trace_repository(repository: Repository, options: ImportOptions, progress: Progress) -> Traced:
    if options.task not in ("", "tensors"):
        raise Unsupported(
            f"{repository.source} brings code of its own, of which no task is known: arrays in, arrays out.",
            hint="Leave --task out.",
        )
    folder = whole(repository, options.offline, progress)
    inputs, axes = inputs_of(repository, repository.config)
    sized = [(i.name, i.dtype, [axes[s].most if isinstance(s, str) else s for s in i.shape]) for i in inputs]
    words = repository.config.get("vocab_size")
    progress(f"running the code of {repository.source} in a process of its own", 0, 0)
    asked: Facts = {"folder": str(folder.resolve()), "inputs": sized, "words": words if isinstance(words, int) else 2}
    return trace_in_child("edgekit.importers.hub.trusted.tracing:trace", repository.source, folder, asked, clean=True)
