"""A program that foreign code traced in the child: checked as a hostile file, and kept by its content.

The code runs each time: nobody can tell what it reads (variables, folders, what compiled readers open). What comes out
decides whether anything that was made of it is used again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.files import hash_file
from edgekit.core import Facts
from edgekit.errors import BadInput
from edgekit.formats import pt2
from edgekit.formats.pt2 import Program
from edgekit.importers.common import stored
from edgekit.importers.common.foreign.process import Request, run

#: What the child writes into its scratch folder.
PROGRAM, SAMPLES = "program.pt2", "samples"
#: The facts beside the program, so that they count as a part of the weights.
FACTS, _WEIGHTS = "facts.json", "weights"
#: Seconds for which what the same source gave earlier stays, unused.
_STAYS = 86400.0


class Traced(NamedTuple):
    """A traced network: its program, the folder of its samples, and what the function said of it."""

    program: Program
    samples: Path
    facts: Facts


def trace_in_child(function: str, label: str, folder: Path, arguments: Facts, *, clean: bool = False) -> Traced:
    """The program and the samples that a function of edgekit makes in the child; the arguments are a `Request`'s.

    Raises:
        As `edgekit.importers.common.foreign.run`; BadInput also for anything else than a program and its samples.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        scratch = Path(name)
        given = run(Request(function, label, scratch, folder, arguments, clean))
        facts = _plain(given)
        fresh = _validate_results(scratch, facts, label)
        source = stored.folder_of(f"{function} {folder.resolve()} {label}")
        place = source / _digest(fresh)
        if not place.is_dir() or _digest(place) != place.name:
            stored.publish_folder(fresh, place)
    os.utime(place)
    _sweep(source)
    return Traced(pt2.read(place / _WEIGHTS / PROGRAM), place / SAMPLES, facts)


def _validate_results(scratch: Path, facts: Facts, label: str) -> Path:
    """The folder of what the child wrote. Raises BadInput for anything else than it should be."""
    from edgekit.tasks.tensors.arrays import read

    fresh = scratch / "fresh"
    (fresh / _WEIGHTS).mkdir(parents=True)
    file = scratch / PROGRAM
    if not _is_plain(file) or (scratch / SAMPLES).is_symlink():
        raise BadInput(f"the process of {label} gave an answer, and no program.")
    program = pt2.read(file)
    wanted = {spec.name: spec.dtype for spec in program.inputs}
    arrays = []
    for path in stored.files(scratch / SAMPLES):
        sample = dict(read(path)) if _is_plain(path) else {}
        fitting = (spec.fits(sample[spec.name].shape) for spec in program.inputs if spec.name in sample)
        if {name: array.dtype.name for name, array in sample.items()} != wanted or not all(fitting):
            raise BadInput(f"{path.name} is not a sample of the traced inputs of {label}.")
        arrays.append(sample)
    if not arrays:
        raise BadInput(f"the process of {label} gave no samples.")
    stored.keep(arrays, fresh / SAMPLES)
    file.replace(fresh / _WEIGHTS / PROGRAM)
    (fresh / _WEIGHTS / FACTS).write_text(json.dumps(dict(facts), sort_keys=True), encoding="utf-8")
    return fresh


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The child's facts, each of the type that it must have."""
    texts: dict[str, Any] = {
        key: [str(item)[:400] for item in facts.get(key) or () if isinstance(item, str)][:100_000]
        for key in ("labels", "notes")
    }
    flags = {key: facts.get(key) is True for key in ("synthetic", "preprocess", "score")}
    return {**texts, **flags, "architecture": str(facts.get("architecture", ""))[:200]}


def _digest(folder: Path) -> str:
    """Hash of the program, the facts and the samples in `folder`."""
    files: Iterator[Path] = (path for name in (_WEIGHTS, SAMPLES) for path in sorted((folder / name).iterdir()))
    lines = (f"{path.relative_to(folder).as_posix()} {hash_file(path)}" for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _sweep(source: Path) -> None:
    """Remove what `source` gave earlier and nobody has used for a day: each has the size of the weights."""
    for place in source.iterdir():
        if time.time() - place.stat().st_mtime > _STAYS:
            shutil.rmtree(place, ignore_errors=True)
