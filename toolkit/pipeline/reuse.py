"""Reuse of bundles: a key over everything that decides an export's result, and a look at the bundle in place."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import edgekit
import edgekit.exporters
import edgekit.importers
import edgekit.models
import edgekit.runtimes
import edgekit.targets
import edgekit.tasks
from edgekit.bench.machine import host
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import NAME
from edgekit.common import package_data
from edgekit.common.files import describe_content, hash_file
from edgekit.core import Bundle, Target
from edgekit.errors import EdgekitError
from edgekit.formats import onnx
from edgekit.pipeline.closure import closure
from edgekit.pipeline.job import Job


def key_of(job: Job, weights: Path) -> str:
    """Hash of everything that decides an export's result: weights, recipe, target, data, code, tools."""
    model = job.model
    parts = [
        *decides(job, weights),
        *(f"calibration {describe_content(sample.input)}" for sample in job.calibration),
        *(
            f"data {describe_content(sample.input)} {describe_content(sample.truth)} {sample.language}"
            for sample in job.samples
        ),
        *(
            hashlib.sha256(package_data.read(name)).hexdigest()
            for name in (model.task.golden, model.identity.licence_text)
            if name
        ),
        *(f"companion {name} {file.sha256}" for name, s in model.weights.companions.items() for file in s.files),
        f"evidence {job.evidence.name} {job.evidence.sources}" if job.evidence else "no evidence",
        repr((model.name, model.task.evaluation, strip_functions(job.target), job.recipes(), job.asked.fallback)),
        repr((sorted(job.operating.items()), job.limits, _machine(job))),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _machine(job: Job) -> list[Any]:
    """The machine, where a limit of latency is about it."""
    machine = host.describe() if job.limits and job.limits.latency is not None else {}
    return [machine[name] for name in host.IDENTITY if name in machine]


def decides(job: Job, weights: Path) -> list[str]:
    """What decides the files that an exporter writes, whatever the target and the data: weights, code and tools."""
    return [
        *(f"weights {file.name} {hash_file(file)}" for file in read_with(weights, job.model.weights.assets)),
        *(f"code {file.name} {hash_file(file)}" for file in code_files(job)),
        repr(job.tools()),
    ]


def strip_functions(target: Target) -> Target:
    """`target` without its functions: they print as addresses, which differ from run to run; their files are among
    the code (`_outside`)."""
    return replace(target, pack=None, prove=None, measure=None, forms={}, devices={})


def read_with(weights: Path, assets: tuple[str, ...]) -> list[Path]:
    """The files that may be read for `weights`: a folder's; for a file, itself and what belongs beside it."""
    if weights.is_dir():
        return sorted(path for path in weights.rglob("*") if path.is_file())
    beside = [path for pattern in ("*.json", "model*.safetensors") for path in weights.parent.glob(pattern)]
    named = [weights.parent / name for name in ("pytorch_model.bin", *assets)]
    if weights.suffix == ".onnx":
        named += [weights.parent / name for name in onnx.open_file(weights).facts.external]
    return sorted({weights, *(path for path in (*beside, *named) if path.is_file())})


def code_files(job: Job) -> list[Path]:
    """The code that decides an export: all files of the rooms of entries (C kernels and firmware too), what they and
    the pipeline import, and the files of other packages that hold the model, the exporter, the runtime or the target.

    A changed exporter must not reuse an old bundle; a change of report pages must not forbid it.
    """
    return sorted({*_own_files(), *_outside(job)})


@cache
def _own_files() -> frozenset[Path]:
    """Those of edgekit, which do not come and go while a process runs."""
    rooms = (edgekit.exporters, edgekit.importers, edgekit.models, edgekit.runtimes, edgekit.targets, edgekit.tasks)
    folders = [Path(str(room.__file__)).parent for room in rooms]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    package = Path(str(edgekit.__file__)).parent
    transports = (package / "sources" / "transports").glob("*.py")  # found by their folder, as the rooms' entries are
    roots = [package / "pipeline" / "exporting.py", *transports, *(path for path in files if path.suffix == ".py")]
    return frozenset({*files, *closure(roots, package)})


def _outside(job: Job) -> Iterator[Path]:
    model, target = job.model, job.target
    for item in (
        *(model.task.predictor, model.weights.prepare, model.task.samples),
        *(part.build for part in model.network.parts),
        *(type(job.exporter), type(job.runtime), target.pack, target.prove, target.measure),
    ):
        named = getattr(getattr(item, "func", item), "__module__", None) or ""  # of a partial, its function
        top = named.partition(".")[0]
        for name in dict.fromkeys((named, top)):
            file = Path(getattr(sys.modules.get(name), "__file__", None) or "")
            if top != "edgekit" and file.name == "__init__.py":
                yield from file.parent.rglob("*.py")  # a package, whose files import one another
            elif file.is_file():
                yield file


def already(place: Path, key: str) -> Bundle | None:
    """The bundle at `place`, if it is intact and has this key; else None."""
    if not (place / NAME).is_file():
        return None
    try:
        bundle = open_bundle(place)
    except EdgekitError:
        return None
    return Bundle(bundle.path, bundle.manifest, reused=True) if bundle.manifest.key == key else None
