"""The pieces of a benchmark on this machine: subjects, inputs, limits, reports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edgekit.bench.machine import host
from edgekit.bench.processes import run
from edgekit.bench.processes.answers import Answer
from edgekit.benchmarking import synthetic as noise
from edgekit.bundles.facts import recipe_in
from edgekit.bundles.manifest import Manifest
from edgekit.bundles.opened import makers
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Facts, Measurement, Report, Target
from edgekit.errors import BadInput, UnknownName, Unsupported
from edgekit.registry import find, names
from edgekit.reports.report import SCHEMA
from edgekit.reports.summary import BUNDLE_SIZE

#: The device that is this machine.
HOST = "host"


VERSIONS = ("edgekit", "onnxruntime", "numpy", "tokenizers", "soundfile", "soxr")


class Limits(NamedTuple):
    """The limits of a process; see `edgekit.bench.processes.run.Setup`."""

    warmups: int = 10
    loops: int | None = None
    seconds: float = 3.0
    limit: float = 600.0
    memory: int | None = None


class Subject(NamedTuple):
    """A bundle and how it is measured here; `inputs` are its input files for the report (name, sha256)."""

    bundle: Bundle
    setup: run.Setup
    inputs: tuple[Mapping[str, str], ...]


def prepare(bundle: Bundle, inputs: Sequence[str | Path], threads: int | None, limits: Limits) -> Subject:
    """A bundle with its inputs and setup for a measurement on this machine.

    Raises:
        BadInput: no such input. Unsupported: this machine runs it by other means than its target.
    """
    if why := makers(bundle).runtime.untimed:
        raise Unsupported(f"{bundle.path.name} cannot be measured here: {why}.", hint="edgekit verify proves it.")
    chosen = [Path(item).expanduser() for item in inputs] or [golden_input(bundle)]
    for item in chosen:
        if not item.is_file():
            raise BadInput(
                f"there is no input file {str(item)!r}.",
                hint="Check the path, or leave out --input: the bundle's own input is measured then.",
            )
    setup = run.Setup(
        "edgekit.bundles.opened:load_unchecked",
        bundle.path.absolute(),
        tuple(str(item.absolute()) for item in chosen),
        threads or usable_processors(),
        *limits,
    )
    return Subject(bundle, setup, tuple(map(noise.describe_input, chosen)))


def resolve_inputs(bundle: Bundle, inputs: Sequence[str | Path], synthetic: bool) -> Sequence[str | Path]:
    """The requested inputs; empty for the golden input.

    Raises:
        BadInput: noise and files at once. Unsupported: there is no noise in the form of the golden input.
    """
    if synthetic and inputs:
        raise BadInput("inputs are either synthetic or files of yours.", hint="Leave out --synthetic or --input.")
    return [noise.like(golden_input(bundle))] if synthetic else inputs


def golden_input(bundle: Bundle) -> Path:
    return bundle.path / str(bundle.manifest.golden.input)


def build_report(
    subject: Subject,
    answers: Sequence[Answer],
    load: float | None,
    session: str = "",
    machine: Facts | None = None,
    versions: Mapping[str, str] | None = None,
) -> Report:
    """The report of a bundle's processes.

    Args:
        load: average before the first process. session: the same for bundles that were measured in turns.
        machine, versions: of the machine that measured it, if not this machine.

    Raises:
        DeviceFailed: a process failed. EdgekitError: the error that a process raised.
    """
    run.check_answer(answers[-1])
    result = run.collect(subject.setup, answers, load)
    context = result.context | ({"session": session} if session else {})
    return Report(
        schema=SCHEMA,
        bundle=bundle_facts(subject.bundle),
        fidelity="host",
        host={**(machine or host.describe()), "run": context},
        versions=versions or host.versions(VERSIONS),
        inputs=list(subject.inputs),
        threads=subject.setup.threads,
        measurements=(*result.measurements, *sizes(subject.bundle)),
        warnings=(*noise.warnings(subject.inputs), *elsewhere(subject.bundle), *result.warnings),
        outputs=result.outputs,
    )


def whole(bundle: Bundle) -> bool:
    """Whether the bundle has a method of its own in `benchmark`, without turns with other bundles."""
    task: str = bundle.manifest.model.task
    return task in names("tasks") and find("tasks", task).rate == "tokens"


def own_target(bundle: Bundle) -> Target | None:
    """The bundle's target; None if it belongs to another package that is not installed here."""
    try:
        target = find("targets", bundle.manifest.target.name)
    except UnknownName:
        return None
    return target


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    manifest, recipe = bundle.manifest, replace(recipe_in(bundle.manifest), options={})
    return {
        "name": f"{manifest.model.name} {manifest.target.name} {recipe}",
        "model": manifest.model.name,
        "target": manifest.target.name,
        "runtime": recipe.runtime,
        "exporter": recipe.exporter,
        "precision": manifest.recipe.precision,
        "verdict": manifest.gate.verdict,
        "gate": msgspec.json.decode(msgspec.json.encode(manifest.gate)),  # as a file of it reads
        "agreement": _agreement(manifest),
        "parity": {part.name: part.parity for part in manifest.parts},
        "key": manifest.key,
        "size": sum(file.size for file in manifest.files.values()),
    }


def _agreement(manifest: Manifest) -> Facts:
    """The agreement with fp32, and which samples it is of; empty without evidence."""
    evidence = manifest.evidence
    if evidence is None:
        return {}
    digest = hashlib.sha256(msgspec.json.encode(sorted(evidence.samples.values()))).hexdigest()[:16]
    return {**msgspec.to_builtins(evidence.agreement), "samples": f"{evidence.name or 'samples'} {digest}"}


def sizes(bundle: Bundle) -> tuple[Measurement, ...]:
    """Bytes of the bundle, and of the files of every part. A part may be a folder, as in Core ML."""
    files = {name: file.size for name, file in bundle.manifest.files.items()}
    parts = {part.name: part.file for part in bundle.manifest.parts}
    found = {BUNDLE_SIZE: sum(files.values())} | {
        f"part.{name}.size": sum(size for file, size in files.items() if file == place or file.startswith(f"{place}/"))
        for name, place in parts.items()
    }
    return tuple(Measurement(name, "B", ((float(size),),)) for name, size in found.items())


def elsewhere(bundle: Bundle) -> list[str]:
    """A warning if the bundle's target is not this machine."""
    facts, target = bundle.manifest.target, own_target(bundle)
    if target is not None and target.device == HOST:
        return []
    return [f"measured on this machine; on {facts.name} ({facts.processor}): not measured"]
