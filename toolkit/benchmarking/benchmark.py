"""`benchmark`: measure a bundle on a device, and say how the numbers came to be."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edgekit.bench.machine import host
from edgekit.bench.processes import run
from edgekit.benchmarking import connected
from edgekit.benchmarking import synthetic as noise
from edgekit.bundles.bundle import makers, open_bundle
from edgekit.bundles.golden import vouched
from edgekit.common.files import hash_file
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Progress, Report, Target
from edgekit.errors import BadInput, UnknownName, Unsupported
from edgekit.registry import find
from edgekit.reports.report import SCHEMA

#: The device that is this machine.
HOST = "host"

VERSIONS = ("edgekit", "onnxruntime", "numpy", "tokenizers", "soundfile", "soxr")


class Limits(NamedTuple):
    """How long and how large one process may be; see `edgekit.bench.processes.run.Setup`."""

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


def benchmark(
    path: str | Path,
    *,
    inputs: Sequence[str | Path] = (),
    threads: int | Sequence[int] | None = None,
    device: str | None = None,
    processes: int = 5,
    warmups: int = 10,
    loops: int | None = None,
    seconds: float = 3.0,
    limit: float = 600.0,
    memory: int | None = None,
    synthetic: bool = False,
    contexts: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure a bundle with real inputs: cold load, latency of the whole and of every part, rates, memory.

    Args:
        inputs: files that the pipeline takes; the bundle's golden input if none are given.
        threads: within an operator; None takes all usable processors. Several numbers are for connected devices.
        device: where to measure: ``"host"``, the target's own, or a connected one as ``"adb"`` or ``"adb:SERIAL"``
            (see `edgekit.benchmarking.connected`); None takes the target's own device where `edgekit` can drive it,
            else this machine.
        processes: fresh processes, one after another. loops: measured rounds over all inputs in each, at most; None: as
            many as fit into `seconds`, 3 to 500. warmups: rounds before them, at most.
        limit: seconds after which a process counts as hung. memory: bytes that it may hold at most, None: no limit.
        synthetic: noise in the form of the golden input in its place; the report says so.
        contexts: a language model's: tokens in its cache before generation is timed; (): not timed (see
            `edgekit.benchmarking.language`, which takes `loops` for the values of each test).

    Returns:
        The report. Where the bundle is for another target, its first warning says that the numbers are this machine's.

    Raises:
        BadInput: not a bundle, code in it that is not ours, no such input. Unsupported: an unknown device.
        DeviceFailed: a worker hung, crashed or took too much memory; the device did not do its part.
        MissingExtra: a tool that the device needs is absent. ParityFailed: a connected device computes something else.
    """
    bundle = open_bundle(Path(path))
    tell: Progress = progress or (lambda what, done, total: None)
    counts = (threads,) if isinstance(threads, int) else tuple(threads or ())
    target = own_target(bundle)
    if (there := connected.device_of(target, device)) is not None and target is not None:
        connected.check(inputs, synthetic, contexts)
        run.check_numbers((*counts, processes, loops or 1), warmups, seconds, limit)
        asked = {"address": there[1], "threads": counts, "processes": processes, "warmups": warmups}
        asked |= {"loops": loops, "seconds": seconds, "limit": limit}
        return connected.measured(bundle, _bundle_facts(bundle), target, there[0], asked, tell)
    if len(counts) > 1:
        raise BadInput("several numbers of threads are for connected devices and for a matrix.", hint="Give one.")
    threads = next(iter(counts), None)
    inputs = given(bundle, inputs, synthetic)
    if target is not None and target.measure is not None and device in (None, target.device):
        return on_device(bundle, target, inputs, progress)
    if device not in (None, HOST):
        raise Unsupported(f"there is no device {device!r} for this bundle.", hint=f"Measure here with --device {HOST}.")
    if whole(bundle):
        from edgekit.benchmarking.language import CONTEXTS, Plan, measured

        plan = Plan(threads, processes, loops, limit, memory, CONTEXTS if contexts is None else contexts)
        return measured(bundle, _bundle_facts(bundle), _elsewhere(bundle), inputs, plan, tell)
    if contexts:
        raise BadInput("lengths of context are for language models.", hint="Leave --contexts out.")
    subject = prepare(bundle, inputs, threads, Limits(warmups, loops, seconds, limit, memory))
    run.check(subject.setup, processes)
    load = host.load_average()
    (answers,) = run.in_turns(
        [subject.setup], processes, progress=lambda _bundle, _process, done, total: tell("measuring", done, total)
    )
    tell("measuring", processes, processes)
    return reported(subject, answers, load)


def versus(
    paths: Sequence[str | Path],
    *,
    inputs: Sequence[str | Path] = (),
    threads: int | None = None,
    processes: int = 10,
    limits: Limits | None = None,
    synthetic: bool = False,
    progress: Progress | None = None,
) -> list[Report]:
    """Measure bundles on this machine in turns (A B, B A, ...), for `edgekit.reports.comparing.reports.compare`, which
    then pairs the processes that ran one after the other. Without `inputs`, every bundle gets the golden input of the
    first, or with `synthetic` noise in its form.

    Raises:
        BadInput, DeviceFailed: as `benchmark`.
    """
    bundles = [open_bundle(Path(path)) for path in paths]
    chosen = given(bundles[0], inputs, synthetic) or [_golden(bundles[0])]
    subjects = [prepare(bundle, chosen, threads, limits or Limits()) for bundle in bundles]
    for subject in subjects:
        run.check(subject.setup, processes)
    load, session = host.load_average(), uuid.uuid4().hex
    answers = run.in_turns([subject.setup for subject in subjects], processes, progress=_turn(bundles, progress))
    return [reported(subject, found, load, session) for subject, found in zip(subjects, answers, strict=True)]


def _turn(bundles: Sequence[Bundle], progress: Progress | None) -> Callable[[int, int, int, int], None]:
    def tell(bundle: int, process: int, done: int, total: int) -> None:
        if progress:
            progress(f"measuring in turns: {bundles[bundle].path.name}, process {process + 1}", done, total)

    return tell


def prepare(bundle: Bundle, inputs: Sequence[str | Path], threads: int | None, limits: Limits) -> Subject:
    """A bundle with what it is to be measured with on this machine.

    Raises:
        BadInput: there is no such input. Unsupported: what runs it here is not what runs it on its target.
    """
    if why := getattr(makers(bundle)[1], "untimed", ""):
        raise Unsupported(f"{bundle.path.name} cannot be measured here: {why}.", hint="edgekit verify proves it.")
    chosen = [Path(item).expanduser() for item in inputs] or [_golden(bundle)]
    for item in chosen:
        if not item.is_file():
            raise BadInput(f"there is no input file {str(item)!r}.")
    setup = run.Setup(
        "edgekit.bundles.bundle:load_unchecked",
        bundle.path.absolute(),
        tuple(str(item.absolute()) for item in chosen),
        threads or usable_processors(),
        *limits,
    )
    return Subject(bundle, setup, tuple(map(noise.described, chosen)))


def given(bundle: Bundle, inputs: Sequence[str | Path], synthetic: bool) -> Sequence[str | Path]:
    """The inputs that were asked for; empty for the golden one.

    Raises:
        BadInput: noise and files at once. Unsupported: there is no noise in the form of the golden input.
    """
    if synthetic and inputs:
        raise BadInput("inputs are either synthetic or files of yours.", hint="Leave out --synthetic or --input.")
    return [noise.like(_golden(bundle))] if synthetic else inputs


def _golden(bundle: Bundle) -> Path:
    return bundle.path / str(bundle.manifest.golden.input)


def reported(
    subject: Subject,
    answers: Sequence[Mapping[str, Any]],
    load: float | None,
    session: str = "",
    machine: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Report:
    """The report of a bundle's processes.

    Args:
        load: average before the first process. session: the same for bundles that were measured in turns.
        machine, versions: where it was measured, if not here.

    Raises:
        DeviceFailed: a process failed; EdgekitError: it raised that.
    """
    if "failure" in answers[-1]:
        raise run.error(answers[-1]["failure"])
    result = run.collect(subject.setup, answers, load)
    context = result.context | ({"session": session} if session else {})
    return Report(
        schema=SCHEMA,
        bundle=_bundle_facts(subject.bundle),
        fidelity="host",
        host={**(machine or host.describe()), "run": context},
        versions=versions or host.versions(VERSIONS),
        inputs=list(subject.inputs),
        threads=subject.setup.threads,
        measurements=result.measurements,
        warnings=(*noise.warnings(subject.inputs), *_elsewhere(subject.bundle), *result.warnings),
        outputs=result.outputs,
    )


def on_device(bundle: Bundle, target: Target, inputs: Sequence[str | Path], progress: Progress | None) -> Report:
    """What the target's own device (an emulator) counts. Its inputs are the golden ones that the firmware carries."""
    if inputs:
        raise Unsupported(
            f"the firmware for {target.name} carries its golden inputs and takes no files.",
            hint=f"Without --input, or on this machine: --device {HOST}",
        )
    assert target.measure is not None
    if progress:
        progress(f"building the firmware and counting in {target.device}", 0, 0)
    with vouched(bundle, target) as folder:
        found = target.measure(folder)
    golden = _golden(bundle)
    facts = {
        key: value for key, value in found.items() if key not in ("measurements", "layers", "fidelity", "estimates")
    }
    return Report(
        schema=SCHEMA,
        bundle=_bundle_facts(bundle),
        fidelity=found["fidelity"],
        host={"cpu": f"{facts.get('board', target.name)} in {target.device}", "release": target.processor, **facts},
        versions=host.versions(VERSIONS),
        inputs=[{"name": golden.name, "sha256": hash_file(golden)}],
        threads=1,
        measurements=tuple(found["measurements"]),
        layers=tuple(found.get("layers", ())),
        estimates=tuple(found.get("estimates", ())),
    )


def whole(bundle: Bundle) -> bool:
    """Whether `benchmark` has a method of its own for it, and its processes take no turns with other bundles'."""
    return bool(bundle.manifest.model.task == "text-generation")


def own_target(bundle: Bundle) -> Target | None:
    """The bundle's target; None where it is another package's that is not installed here."""
    try:
        target: Target = find("targets", bundle.manifest.target.name)
    except UnknownName:
        return None
    return target


def _bundle_facts(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "name": f"{manifest.model.name} {manifest.target.name} {manifest.recipe.exporter} {manifest.recipe.precision}",
        "model": manifest.model.name,
        "target": manifest.target.name,
        "exporter": manifest.recipe.exporter,
        "precision": manifest.recipe.precision,
        "verdict": manifest.gate.verdict,
        "gate": msgspec.to_builtins(manifest.gate),
        "parity": {part.name: part.parity for part in manifest.parts},
        "key": manifest.key,
        "size": sum(file.size for file in manifest.files.values()),
    }


def _elsewhere(bundle: Bundle) -> list[str]:
    """A warning where the bundle is for something other than this machine."""
    facts, target = bundle.manifest.target, own_target(bundle)
    if target is not None and target.device == HOST:
        return []
    return [f"measured on this machine; on {facts.name} ({facts.processor}): not measured"]
