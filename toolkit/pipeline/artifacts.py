"""A cache of artefacts: what an exporter wrote for the same weights, inputs and recipe is not computed again.

The same files serve every target of a format, another ``--data``, and the recipe that a search has chosen. Parity, the
agreement with fp32 and accuracy are measured each time: only the exporter's work and the times of calls are reused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from edgekit.bench.machine import host
from edgekit.bundles.staging import staging_folder, sweep
from edgekit.common.figures import figure
from edgekit.common.files import cache_folder, describe_content, hash_file, is_inside
from edgekit.core import Artifact, Lowering, Recipe
from edgekit.errors import EdgekitError
from edgekit.numerics.sums import same_sums
from edgekit.pipeline.job import Run
from edgekit.pipeline.reuse import decides
from edgekit.pipeline.tracing import Reference

#: Most bytes of the cache: beyond them, what was used least recently goes.
MOST = 4 << 30
#: Seconds of an exporter's work from which on its files are kept.
WORTH = 10.0
_NAME = "artifacts.json"
#: Parts that are this many times as large as `fit` expects are told of.
_MUCH = 1.5


class Exported:
    """The artefacts of a recipe, in the folder `run.stage`.

    Attributes:
        artifacts: as the exporter described them. reused: whether they came from the cache; then with their times.
    """

    def __init__(self, artifacts: Sequence[Artifact], place: Path, files: Sequence[str], *, reused: bool) -> None:
        self.artifacts, self.reused = artifacts, reused
        self._place, self._files = place, files

    def keep(self, stage: Path, artifacts: Sequence[Artifact]) -> None:
        """Put the files, and what `artifacts` say of them, into the cache. A full disk leaves the cache as it was."""
        if self.reused or not self._files:
            return
        files = [name for name in self._files if (stage / name).is_file()]  # what is left off an accelerator is gone
        size = sum((stage / name).stat().st_size for name in files)
        with contextlib.suppress(OSError, EdgekitError):
            cache = self._place.parent
            cache.mkdir(parents=True, exist_ok=True)
            if size > MOST or 2 * size > shutil.disk_usage(cache).free:
                return
            _drop(cache, MOST - size)
            with staging_folder(self._place, where=Path) as fresh:
                for name in files:
                    (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(stage / name, fresh / name)
                content = {
                    "artifacts": [asdict(artifact) for artifact in artifacts],
                    "files": {name: hash_file(fresh / name) for name in files},
                }
                (fresh / _NAME).write_text(json.dumps(content), encoding="utf-8")


def export_recipe(run: Run, reference: Reference, recipe: Recipe) -> Exported:
    """What the exporter makes of `recipe`: from the cache, else made now.

    Raises:
        As `edgekit.core.Exporter.export`.
    """
    place = cache_folder() / "artifacts" / _key(run, reference, recipe)
    if (artifacts := _restore_artifacts(place, run.stage)) is not None:
        run.tell(f"{recipe}: the files of an earlier export", 0, 0)
        return Exported(artifacts, place, (), reused=True)
    before, began = set(_files(run.stage)), time.monotonic()
    with same_sums():
        artifacts = run.job.exporter.export(
            run.job.model, run.checkpoint, recipe, reference.calibration, run.stage, run.work, run.tell
        )
        artifacts = [_lower(run, reference, artifact) for artifact in artifacts]
    if note := too_large(artifacts, run.job.model.costs.size(recipe)):
        run.tell(note, 0, 0)
    long = time.monotonic() - began >= WORTH
    return Exported(artifacts, place, sorted(set(_files(run.stage)) - before) if long else (), reused=False)


def _lower(run: Run, reference: Reference, artifact: Artifact) -> Artifact:
    if run.job.board is not None:
        run.tell(f"compiling {artifact.part} for {run.job.board.name}", 0, 0)
    calls = reference.judged[artifact.part].calls
    about = Lowering(run.job.model.network.part(artifact.part), run.job.board, calls)
    return run.job.runtime.lower(artifact, run.stage, about)


def too_large(artifacts: Sequence[Artifact], expected: int) -> str:
    """What makes parts much larger than `fit` expects; "" where they are not, or their format names no constants."""
    made = sum(sum(artifact.census.get("bytes", {}).values()) for artifact in artifacts)
    sizes = {name: n for artifact in artifacts for name, n in artifact.census.get("constants", {}).items()}
    if not sizes or made <= _MUCH * expected:
        return ""
    largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:3]
    told = ", ".join(f"{name} ({figure(sizes[name], 'B')})" for name in largest)
    return f"{figure(made, 'B')} where fit expects {figure(expected, 'B')}; the largest constants: {told}"


def _key(run: Run, reference: Reference, recipe: Recipe) -> str:
    """Hash of everything that decides what an exporter writes, which is less than what decides a bundle: no target.

    The reference's outputs stand for the network itself, also where its code lies in files that nobody lists.
    """
    network, machine = run.job.model.network, host.describe()
    parts = [(p.name, p.inputs, p.outputs, p.axes, p.quantize, p.kind, dict(p.settings)) for p in network.parts]
    lines = [
        *decides(run.job, run.checkpoint.path),
        repr((run.job.model.name, network.precision, parts, recipe, run.job.board)),
        f"outputs {describe_content(reference.golden)}",
        f"calibration {describe_content(reference.calibration)}",
        repr([machine[name] for name in host.IDENTITY]),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _restore_artifacts(place: Path, stage: Path) -> list[Artifact] | None:
    """The artefacts of the cache's folder `place`, copied into `stage`; None if they are not there, or damaged."""
    copied: list[Path] = []
    try:
        os.utime(place / _NAME)  # used now: another process that needs room takes others first
        content = json.loads((place / _NAME).read_text(encoding="utf-8"))
        artifacts = [Artifact(**artifact) for artifact in content["artifacts"]]
        for name, digest in dict(content["files"]).items():
            if not is_inside(name):
                raise ValueError(name)
            copied.append(stage / name)
            copied[-1].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place / name, copied[-1])
            if hash_file(copied[-1]) != digest:
                raise ValueError(name)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        for path in copied:
            path.unlink(missing_ok=True)
        if isinstance(exc, ValueError):
            shutil.rmtree(place, ignore_errors=True)
        return None
    return artifacts


def _files(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _drop(cache: Path, most: int) -> None:
    """Remove what writers left that were killed, then what was used least recently, until `most` bytes are left.

    What others write just now counts, and stays.
    """
    sweep(cache)
    sizes = {place: sum((place / name).stat().st_size for name in _files(place)) for place in cache.iterdir()}
    described = {place: place / _NAME for place in sizes if not place.name.startswith(".")}
    used = {place: path.stat().st_mtime if path.is_file() else 0.0 for place, path in described.items()}
    for place in sorted(used, key=lambda place: used[place]):
        if sum(sizes.values()) <= most:
            return
        shutil.rmtree(place, ignore_errors=True)
        del sizes[place]
