"""`benchmark`: measure a bundle on a device, and report how."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from edgekit.bench.machine import host
from edgekit.bench.processes import run
from edgekit.benchmarking import connected
from edgekit.benchmarking.emulated import on_device
from edgekit.benchmarking.hosted import (
    HOST,
    Limits,
    build_report,
    bundle_facts,
    elsewhere,
    golden_input,
    own_target,
    prepare,
    resolve_inputs,
    whole,
)
from edgekit.bundles.bundle import open_bundle
from edgekit.common.arrays import read_arrays
from edgekit.core import Bundle, Progress, Report
from edgekit.errors import BadInput, Unsupported


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
        inputs: files that the pipeline takes; default: the bundle's golden input.
        threads: within an operator; None takes all usable processors. Several numbers are for connected devices.
        device: where to measure: ``"host"``, the target's own, or a connected device as ``"adb"`` or ``"adb:SERIAL"``
            (see `edgekit.benchmarking.connected`); None: the target's own device if `edgekit` can drive it,
            else this machine.
        processes: fresh processes, one after another. loops: most measured rounds over all inputs in each; None: as
            many as fit into `seconds`, 3 to 500. warmups: most rounds before them.
        limit: seconds after which a process counts as hung. memory: its memory limit in bytes, None: no limit.
        synthetic: measure on noise in the form of the golden input; the report says so.
        contexts: of a language model: tokens in its cache before generation is timed; (): not timed (see
            `edgekit.benchmarking.language`, which takes `loops` for the values of each test).

    Returns:
        The report. If the bundle is for another target, its first warning says that the numbers are this machine's.

    Raises:
        BadInput: not a bundle, code in it that edgekit did not generate, no such input. Unsupported: unknown device.
        DeviceFailed: a worker hung, crashed or took too much memory; the device failed.
        MissingExtra: a tool for the device is absent. ParityFailed: a connected device's outputs differ.
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
        return connected.measure_on_device(bundle, bundle_facts(bundle), target, there[0], asked, tell)
    if len(counts) > 1:
        raise BadInput("several numbers of threads are for connected devices and for a matrix.", hint="Give one.")
    threads = next(iter(counts), None)
    inputs = resolve_inputs(bundle, inputs, synthetic)
    if target is not None and target.measure is not None and device in (None, target.device):
        return on_device(bundle, target, inputs, progress)
    if device not in (None, HOST):
        raise Unsupported(f"there is no device {device!r} for this bundle.", hint=f"Measure here with --device {HOST}.")
    if whole(bundle):
        from edgekit.benchmarking.language import CONTEXTS, Plan, measure_language_model

        plan = Plan(threads, processes, loops, limit, memory, CONTEXTS if contexts is None else contexts)
        return measure_language_model(bundle, bundle_facts(bundle), elsewhere(bundle), inputs, plan, tell)
    if contexts:
        raise BadInput("lengths of context are for language models.", hint="Leave --contexts out.")
    subject = prepare(bundle, inputs, threads, Limits(warmups, loops, seconds, limit, memory))
    run.check(subject.setup, processes)
    load = host.load_average()
    (answers,) = run.in_turns(
        [subject.setup], processes, progress=lambda _bundle, _process, done, total: tell("measuring", done, total)
    )
    tell("measuring", processes, processes)
    return build_report(subject, answers, load)


def versus(
    paths: Sequence[str | Path],
    *,
    inputs: Sequence[str | Path] = (),
    threads: int | None = None,
    processes: int = 10,
    limits: Limits | None = None,
    synthetic: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
) -> list[Report]:
    """Measure bundles on this machine in turns (A B, B A, ...), for `compare_reports` of `edgekit.reports`, which
    then pairs the processes that ran one after the other. Without `inputs`, every bundle gets the golden input of the
    first, or with `synthetic` noise in its form.

    Bundles whose target has a device of its own that counts (an emulator) are counted there, unless `device` is
    ``"host"``: times of this machine say nothing of a microcontroller.

    Raises:
        BadInput: as `benchmark`, or the bundles are of different tasks, or only one has such a device.
        DeviceFailed: as `benchmark`.
    """
    bundles = [open_bundle(Path(path)) for path in paths]
    check_alike(bundles)
    counting = [target for target in map(own_target, bundles) if target and target.measure and device is None]
    if counting and len(counting) < len(bundles):
        raise BadInput(
            f"a bundle for {counting[0].name} is counted in {counting[0].device}, the other is timed on this machine.",
            hint=f"Measure both on this machine with --device {HOST}, or compare bundles for one target.",
        )
    if counting:
        own = zip(bundles, counting, [resolve_inputs(bundle, inputs, synthetic) for bundle in bundles], strict=True)
        return [on_device(bundle, target, wanted, progress) for bundle, target, wanted in own]
    chosen = resolve_inputs(bundles[0], inputs, synthetic) or [golden_input(bundles[0])]
    subjects = [prepare(bundle, chosen, threads, limits or Limits()) for bundle in bundles]
    for subject in subjects:
        run.check(subject.setup, processes)
    load, session = host.load_average(), uuid.uuid4().hex
    setups = [subject.setup for subject in subjects]
    answers = run.in_turns(
        setups,
        processes,
        # What the others still did beside one that failed would be for nothing.
        keep=lambda _bundle, _process, answer: run.check_answer(answer),
        progress=_turn(bundles, progress),
    )
    return [build_report(subject, group, load, session) for subject, group in zip(subjects, answers, strict=True)]


def check_alike(bundles: Sequence[Bundle]) -> None:
    """Raise BadInput for bundles that no input serves alike, before any is measured."""
    tasks = {bundle.manifest.model.task for bundle in bundles}
    if len(tasks) > 1:
        each = " and ".join(f"{bundle.path.name} is for {bundle.manifest.model.task}" for bundle in bundles)
        raise BadInput(
            f"bundles of different tasks cannot be compared: {each}.",
            hint="Measure each alone: edgekit bench BUNDLE",
        )
    if tasks == {"tensors"}:  # the one task whose inputs have no form of their own
        inputs = [
            ", ".join(sorted(read_arrays(bundle.path / bundle.manifest.golden.input, "the golden input")))
            for bundle in bundles
        ]
        if len(set(inputs)) > 1:
            each = " and ".join(f"{bundle.path.name} takes {one}" for bundle, one in zip(bundles, inputs, strict=True))
            raise BadInput(
                f"bundles with different inputs cannot be compared: {each}.",
                hint="Measure each alone: edgekit bench BUNDLE",
            )


def _turn(bundles: Sequence[Bundle], progress: Progress | None) -> Callable[[int, int, int, int], None]:
    def tell(bundle: int, process: int, done: int, total: int) -> None:
        if progress:
            progress(f"measuring in turns: {bundles[bundle].path.name}, process {process + 1}", done, total)

    return tell
