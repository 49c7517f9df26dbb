"""A model with code of its own as a declaration: its code is run once, in a child; the graph that comes out is kept."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import edgekit
from edgekit.common.files import hash_file
from edgekit.core import ImportOptions, Inspection, Model, Progress
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import pt2
from edgekit.importers.common import stored
from edgekit.importers.common.foreign import Request, run
from edgekit.importers.common.graphs import bounds_of, declared_graph, inspected
from edgekit.importers.hub.kinds.arrays import inputs_of
from edgekit.importers.hub.mappings import transformers_version
from edgekit.importers.hub.repository import Repository, whole

__all__ = ["declared_trusted", "inspected_trusted"]

_PROGRAM, _SAMPLES, _WEIGHTS = "program.pt2", "samples", "weights"


class _Traced(NamedTuple):
    """A traced network: its program, and the folder of its samples."""

    program: pt2.Program
    samples: Path


def declared_trusted(repository: Repository, options: ImportOptions, progress: Progress) -> Model:
    """The model of `repository`, arrays in and arrays out. Its weights are fetched, for its code reads them itself.

    Raises:
        Unsupported: another task is wanted, or its inputs cannot be read from its settings. BadInput: its code raises,
        takes too long, or tries what it may not do.
    """
    traced = _traced(repository, options, progress)
    return declared_graph(
        repository.source,
        "hub",
        traced.program,
        bounds_of(traced.program, options.axes),
        replace(options, task="tensors"),
        traced.samples,
        synthetic=True,
    )


def inspected_trusted(repository: Repository, options: ImportOptions, progress: Progress) -> Inspection:
    """The description of its graph."""
    traced = _traced(repository, options, progress)
    described = inspected(
        repository.source, "hub", traced.program, bounds_of(traced.program, options.axes), ("tensors",)
    )
    named = repository.config.get("architectures") or [described.architecture]
    return replace(described, architecture=str(named[0]), licence=repository.licence)


def _traced(repository: Repository, options: ImportOptions, progress: Progress) -> _Traced:
    if options.task not in ("", "tensors"):
        raise Unsupported(
            f"{repository.source} brings code of its own, of which no task is known: arrays in, arrays out.",
            hint="Leave --task out.",
        )
    folder = whole(repository, options.offline, progress)
    inputs, axes = inputs_of(repository, repository.config)
    sized = [(i.name, i.dtype, [axes[s].most if isinstance(s, str) else s for s in i.shape]) for i in inputs]
    words = repository.config.get("vocab_size")
    place = stored.folder_of(_key(folder, sized))
    if not place.is_dir():
        progress(f"running the code of {repository.source} in a process of its own", 0, 0)
        with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
            scratch = Path(name)
            asked = {"folder": str(folder.resolve()), "inputs": sized, "words": words if isinstance(words, int) else 2}
            run(
                Request(
                    function="edgekit.importers.hub.trusted.tracing:trace",
                    label=repository.source,
                    scratch=scratch,
                    folder=folder,
                    arguments=asked,
                    clean=True,
                )
            )
            _publish(scratch, place)
    return _Traced(pt2.read(place / _WEIGHTS / _PROGRAM), place / _SAMPLES)


def _publish(scratch: Path, place: Path) -> None:
    """Check what the child wrote, and put it at `place`. Raises BadInput for anything else than it should be."""
    from edgekit.tasks.tensors.arrays import read

    file, samples = scratch / _PROGRAM, scratch / _SAMPLES
    if file.is_symlink() or not file.is_file() or samples.is_symlink():
        raise BadInput("the process of the code gave an answer, and no program.")
    program = pt2.read(file)
    arrays = [dict(read(path)) for path in stored.files(samples) if not path.is_symlink()]
    names = {spec.name for spec in program.inputs}
    if not arrays or any(set(sample) != names for sample in arrays):
        raise BadInput("the process of the code gave no samples of its inputs.")
    fresh = scratch / "fresh"
    (fresh / _WEIGHTS).mkdir(parents=True)
    stored.keep(arrays, fresh / _SAMPLES)
    file.replace(fresh / _WEIGHTS / _PROGRAM)
    stored.published(fresh, place)


def _key(folder: Path, inputs: object) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = [f"{path.relative_to(folder).as_posix()} {hash_file(path)}" for path in (*files,)]
    code = [hash_file(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
    versions = f"{edgekit.__version__} {transformers_version()}"
    return hashlib.sha256("\n".join([repr(inputs), versions, *hashes, *code]).encode()).hexdigest()
