"""When is an export already done? A key over all that decides what it makes, and a look at what is there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import edgekit.bench
import edgekit.exporters
import edgekit.models
import edgekit.targets
from edgekit.bench import host
from edgekit.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.errors import EdgekitError
from edgekit.making import TOOLS, Job
from edgekit.manifest import NAME, hash_file


def key_of(job: Job, folder: Path) -> str:
    """Hash of all that decides what an export makes: weights, recipe, target, data, our code, tools."""
    seen = hashlib.sha256()
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else [folder]
    inputs = [sample.input for sample in (*job.calibration, *job.samples)]
    for file in [*files, *(Path(i) for i in inputs if isinstance(i, str)), *_code()]:
        seen.update(f"{file.name}:{hash_file(file)}\n".encode())
    truths = [sample.truth for sample in job.samples]
    versions = host.versions(TOOLS)
    seen.update(repr((job.model.name, job.target, job.recipe, len(job.calibration), truths, versions)).encode())
    return seen.hexdigest()


def _code() -> list[Path]:
    """Our own files: a changed exporter must not find the bundle of the old one."""
    rooms = (edgekit, edgekit.bench, edgekit.exporters, edgekit.models, edgekit.targets)
    return sorted(path for room in rooms for path in Path(str(room.__file__)).parent.glob("*.py"))


def already(place: Path, key: str) -> Bundle | None:
    """The bundle at `place`, if it is whole and was made of exactly the same."""
    if not (place / NAME).is_file():
        return None
    try:
        bundle = open_bundle(place)
    except EdgekitError:
        return None
    return Bundle(bundle.path, bundle.manifest, reused=True) if bundle.manifest.key == key else None
