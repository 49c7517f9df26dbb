"""Measure bundles in fresh processes, and say what was suspicious about it.

"Cold" means a process that has never loaded the bundle; the system's file cache may well hold the files. Nothing is
thrown away but the warm-ups, which are kept beside the values.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.bench.machine import host
from edgekit.bench.processes import child, doubts
from edgekit.bench.processes.answers import Answer
from edgekit.bench.processes.child import Setup
from edgekit.common.processors import thread_count
from edgekit.core import Measurement, Progress
from edgekit.errors import BadInput, DeviceFailed, EdgekitError

__all__ = ["Result", "Setup", "check", "check_answer", "check_numbers", "collect", "in_turns", "measure", "turns"]


class Result(NamedTuple):
    """The result of a measurement.

    Attributes:
        measurements: raw values per process.
        context: how it was measured and what the machine did meanwhile (JSON-able).
        warnings: reasons to distrust it, in words, and last how to get a steadier result.
        outputs: one text per input, from the first process.
    """

    measurements: tuple[Measurement, ...]
    context: dict[str, Any]
    warnings: tuple[str, ...]
    outputs: list[str]


def measure(
    load: str,
    bundle: Path,
    inputs: Sequence[str],
    *,
    threads: int,
    processes: int = 5,
    warmups: int = 10,
    loops: int | None = None,
    seconds: float = 3.0,
    limit: float = 600.0,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run `processes` workers one after another, each loading the bundle and predicting all inputs round after round.

    Measurements: see `collect`. Arguments: see `Setup`.

    Raises:
        BadInput: no inputs, or a number that makes no sense.
        DeviceFailed: a worker hung, crashed, took too much memory, or its pipeline raised something that is not an
            `EdgekitError`.
        EdgekitError: whatever the loader or pipeline raised of that tree, as itself.
    """
    setup = Setup(load, bundle, tuple(map(str, inputs)), threads, warmups, loops, seconds, limit, memory)
    check(setup, processes)
    load_average = host.load_average()
    tell: Progress = progress or (lambda what, done, total: None)
    (answers,) = in_turns([setup], processes, progress=lambda _bundle, _process, done, n: tell("measuring", done, n))
    check_answer(answers[-1])
    tell("measuring", processes, processes)
    return collect(setup, answers, load_average)


def check(setup: Setup, processes: int) -> None:
    """Raise BadInput where there is nothing to measure with, or a number makes no sense on this machine."""
    if not setup.inputs:
        raise BadInput("there is nothing to measure with: no inputs.", hint="Give at least one --input FILE.")
    thread_count(setup.threads)
    positive = (setup.threads, processes, 1 if setup.loops is None else setup.loops)
    check_numbers(positive, setup.warmups, setup.seconds, setup.limit)


def check_numbers(positive: Sequence[int], warmups: int, seconds: float, limit: float) -> None:
    """Raise BadInput where a number makes no sense."""
    if min(positive) < 1 or warmups < 0 or not seconds > 0 or not limit > 0:
        raise BadInput("threads, processes, loops, seconds and the limit must be positive, warm-ups not negative.")


def turns(bundles: int, processes: int) -> Iterator[tuple[int, int]]:
    """(process, bundle) in the order to measure: forth and back (A B C, C B A, ...), so that what changes slowly with
    time (heat, neighbours) meets all bundles alike."""
    for process in range(processes):
        forth = range(bundles)
        for bundle in forth if process % 2 == 0 else reversed(forth):
            yield process, bundle


def in_turns(
    setups: Sequence[Setup],
    processes: int,
    *,
    known: Callable[[int, int], Answer | None] = lambda bundle, process: None,
    keep: Callable[[int, int, Answer], None] = lambda bundle, process, answer: None,
    progress: Callable[[int, int, int, int], None] = lambda bundle, process, done, total: None,
) -> list[list[Answer]]:
    """Processes of several bundles, interleaved in the order of `turns`.

    Args:
        known: (bundle, process) -> an answer from before an interruption, or None. keep: called with every new answer.
        progress: called with (bundle, process, done, total) before each.

    Returns:
        Per setup, the answers of its processes. A setup with a failure ends with it and gets no more turns.
    """
    answers: list[list[Answer]] = [[] for _ in setups]
    for done, (process, bundle) in enumerate(turns(len(setups), processes)):
        progress(bundle, process, done, len(setups) * processes)
        if answers[bundle] and answers[bundle][-1].failure:
            continue
        answer = known(bundle, process)
        if answer is None:
            answer = child.once(setups[bundle])
            keep(bundle, process, answer)
        answers[bundle].append(answer)
    return answers


def collect(setup: Setup, answers: Sequence[Answer], load_average: float | None) -> Result:
    """The answers of all processes of one bundle (`edgekit.bench.processes.child.once`, without failures) as one
    result.

    Measurements: ``load.cold`` = ``load.import`` + ``load.bundle`` (s, from process start), ``end_to_end.latency`` (s,
    per input), ``part.NAME.latency`` (s, per call), ``rtf``, ``first_token`` (s), ``tokens_per_second`` where the
    pipeline reports its units and marks, ``rss.peak``, ``rss.anonymous``, ``rss.file`` (B, one per process). What could
    not be measured is absent. Values of ``end_to_end.latency`` and ``rtf`` cycle through the inputs.

    Args:
        load_average: before the first process started.
    """
    measurements = _measurements(answers)
    warnings = doubts.doubts(measurements, answers, setup.threads, os.cpu_count() or 1, load_average, len(setup.inputs))
    context = {
        "processes": len(answers),
        "warmups": setup.warmups,
        "loops": [answer.rounds for answer in answers],
        "calls": [answer.calls for answer in answers],
        "seconds": setup.seconds,
        "load_average": load_average,
        "sections": [answer.section for answer in answers],
        "states": [list(answer.state) for answer in answers],
        "exits": [answer.exit for answer in answers],
    }
    return Result(measurements, context, tuple(warnings), list(answers[0].outputs))


def check_answer(answer: Answer) -> None:
    """Raise a process's failure, as the worker's own error where it is an `EdgekitError`, else as `DeviceFailed`."""
    failure = answer.failure
    if failure is None:
        return
    kind = getattr(importlib.import_module("edgekit.errors"), failure.type, None)
    if isinstance(kind, type) and issubclass(kind, EdgekitError):
        raise kind(failure.message, hint=failure.hint)
    raise DeviceFailed(f"the measured pipeline raised {failure.type}: {failure.message}", hint=failure.hint)


def _measurements(answers: Sequence[Answer]) -> tuple[Measurement, ...]:
    names = sorted({name for answer in answers for name in answer.values})
    return tuple(
        Measurement(
            name,
            _unit(name),
            tuple(tuple(answer.values.get(name, ())) for answer in answers),
            tuple(tuple(answer.warmups.get(name, ())) for answer in answers),
            "higher" if name == "tokens_per_second" else "lower",
        )
        for name in names
    )


def _unit(name: str) -> str:
    if name.startswith("rss."):
        return "B"
    return {"rtf": "1", "tokens_per_second": "tokens/s"}.get(name, "s")
