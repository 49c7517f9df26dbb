"""The traced form of a Python file: from the cache if no file that it read has changed, else from a child."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import edgekit
from edgekit.common.files import hash_file
from edgekit.core import ImportOptions, Progress
from edgekit.errors import BadInput, MissingExtra, install_command
from edgekit.formats import pt2
from edgekit.formats.pt2 import Program
from edgekit.importers.common import stored
from edgekit.importers.common.foreign import Request, run
from edgekit.importers.common.foreign.record import unchanged

__all__ = ["Traced", "traced"]

_RECORD, _WEIGHTS, _SAMPLES, _PROGRAM = "record.json", "weights", "samples", "program.pt2"


class Traced(NamedTuple):
    """A traced file: its program, the folder of its samples, and facts of `tracing.trace`."""

    program: Program
    samples: Path
    facts: Mapping[str, Any]


def traced(file: Path, function: str, options: ImportOptions, progress: Progress) -> Traced:
    """The program that `function` of `file` builds.

    Raises:
        BadInput: the file cannot be run or traced, see `edgekit.importers.common.foreign.run`. MissingExtra: no torch.
    """
    place = stored.folder_of(_key(file, function, options))
    if (earlier := _earlier(place)) is not None:
        return earlier
    progress(f"running {file.name} in a process of its own", 0, 0)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        scratch = Path(name)
        facts = run(
            Request(
                function="edgekit.importers.python_file.tracing:trace",
                label=file.name,
                scratch=scratch,
                folder=file.parent,
                arguments={"file": str(file), "function": function, "axes": dict(options.axes)},
            )
        )
        _publish(scratch, _plain(facts, file.name), place)
    if (fresh := _earlier(place)) is None:
        raise BadInput(f"{file.name} changed while it ran.", hint="Run the same command again.")
    return fresh


def _key(file: Path, function: str, options: ImportOptions) -> str:
    package = Path(__file__).parents[1]
    code = sorted([*package.rglob("*.py"), *(package.parent / "formats" / "pt2").rglob("*.py")])
    try:
        tools = [f"{name} {metadata.version(name)}" for name in ("torch", "numpy")]
    except metadata.PackageNotFoundError as exc:
        raise MissingExtra(
            f"running {file.name} needs the Python package {exc.name!r}, which is not installed.",
            hint=f"Install it with: {install_command('export')}",
        ) from exc
    parts = (str(file), function, sorted(options.axes.items()), tools, platform.python_version(), edgekit.__version__)
    return hashlib.sha256("\n".join([repr(parts), *map(hash_file, code)]).encode()).hexdigest()


def _earlier(place: Path) -> Traced | None:
    """What lies at `place`, if it is whole and nothing has changed since."""
    try:
        record = json.loads((place / _RECORD).read_bytes())
        if not unchanged(record["files"]):
            return None
        return Traced(pt2.read(place / _WEIGHTS / _PROGRAM), place / _SAMPLES, record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadInput):
        return None


def _publish(scratch: Path, facts: Mapping[str, Any], place: Path) -> None:
    """Check what the child wrote, and put it at `place`. Raises BadInput for anything else than it should be."""
    from edgekit.tasks.tensors.arrays import read

    fresh = scratch / "fresh"
    (fresh / _WEIGHTS).mkdir(parents=True)
    program_file = scratch / _PROGRAM
    if program_file.is_symlink() or not program_file.is_file() or (scratch / _SAMPLES).is_symlink():
        raise BadInput("the process of the file gave an answer, and no program.")
    program = pt2.read(program_file)
    arrays = []
    for path in stored.files(scratch / _SAMPLES):
        sample = {} if path.is_symlink() else dict(read(path))
        fitting = (spec.fits(sample[spec.name].shape) for spec in program.inputs if spec.name in sample)
        wanted = {spec.name: spec.dtype for spec in program.inputs}
        if {name: array.dtype.name for name, array in sample.items()} != wanted or not all(fitting):
            raise BadInput(f"{path.name} is not a sample of the traced inputs.")
        arrays.append(sample)
    if not arrays:
        raise BadInput("the process of the file gave no samples.")
    stored.keep(arrays, fresh / _SAMPLES)
    program_file.replace(fresh / _WEIGHTS / _PROGRAM)
    (fresh / _RECORD).write_text(json.dumps(dict(facts)), encoding="utf-8")
    stored.published(fresh, place)


def _plain(facts: Mapping[str, Any], label: str) -> dict[str, Any]:
    """The child's facts, each of the type that it must have."""
    texts: dict[str, Any] = {
        key: [str(item)[:400] for item in facts.get(key) or () if isinstance(item, str)][:100_000]
        for key in ("labels", "notes")
    }
    flags = {key: facts.get(key) is True for key in ("synthetic", "preprocess", "score")}
    files = facts.get("files")
    if not isinstance(files, dict) or not all(isinstance(v, list) and len(v) == 3 for v in files.values()):
        raise BadInput(f"{label} gave an answer of another form.")
    return {**texts, **flags, "architecture": str(facts.get("architecture", ""))[:200], "files": files}
