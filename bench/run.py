"""Measure a bundle in fresh processes, one after another, and say what was suspicious about it.

"Cold" means a process that has never loaded the bundle; the system's file cache may well hold the files. Nothing is
thrown away but the warm-ups, which are kept beside the values.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from edgekit.bench import host, memory, stats
from edgekit.bench.worker import Job
from edgekit.core import Measurement, Progress
from edgekit.errors import BadInput, DeviceFailed, EdgekitError

__all__ = ["Result", "measure"]


class Result(NamedTuple):
    """What a measurement gave.

    Attributes:
        measurements: raw values per process.
        context: how it was measured and what the machine did meanwhile (JSON-able).
        warnings: reasons to distrust it, in words.
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
    processes: int = 3,
    warmups: int = 5,
    loops: int = 20,
    seconds: float = 30.0,
    limit: float = 600.0,
    progress: Progress | None = None,
) -> Result:
    """Run `processes` workers one after another, each loading the bundle and predicting all inputs up to `loops` times.

    Measurements: ``load.cold`` = ``load.import`` + ``load.bundle`` (s, from process start), ``end_to_end.latency`` (s,
    per input), ``part.NAME.latency`` (s, per call), ``rtf``, ``first_token`` (s), ``tokens_per_second`` where the
    pipeline tells its units and marks, ``rss.peak``, ``rss.anonymous``, ``rss.file`` (B, one per process). What could
    not be measured is absent. Values of ``end_to_end.latency`` and ``rtf`` cycle through the inputs.

    Args:
        load: ``"module:function"`` of an `edgekit.bench.worker.Loader`, importable in a fresh interpreter.
        bundle: folder that the loader opens. inputs: what `predict` takes, at least one.
        threads: given to the loader, and to OpenMP and BLAS through the environment.
        warmups, loops: rounds over all inputs, at most. seconds: per process, no new round starts later.
        limit: seconds after which a worker counts as hung and is killed.

    Raises:
        BadInput: no inputs, or a number that makes no sense.
        DeviceFailed: a worker hung, crashed, or its pipeline raised something that is not an `EdgekitError`.
        EdgekitError: whatever the loader or pipeline raised of that tree, as itself.
    """
    if not inputs:
        raise BadInput("there is nothing to measure with: no inputs.", hint="Give at least one --input FILE.")
    if min(threads, processes, loops) < 1 or warmups < 0 or not seconds > 0 or not limit > 0:
        raise BadInput("threads, processes, loops, seconds and the limit must be positive, warm-ups not negative.")
    job = Job(load, str(bundle), [str(item) for item in inputs], threads, warmups, loops, seconds, started=0.0)
    load_average = host.load_average()
    answers = []
    for number in range(processes):
        if progress:
            progress("measuring", number, processes)
        answers.append(_worker(job, limit))
    if progress:
        progress("measuring", processes, processes)
    measurements = _collect(answers)
    context = _context(job, processes, load_average, answers)
    warnings = (
        *_busy(context, load_average, threads),
        *_nondeterministic(answers),
        *_unstable(measurements, len(inputs)),
    )
    return Result(measurements, context, warnings, list(answers[0]["outputs"]))


def _worker(job: Job, limit: float) -> dict[str, Any]:
    """One child's answer, with the sampled peaks of its memory added to its values."""
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(job.threads))
    with tempfile.TemporaryFile() as noise:  # not a pipe: a chatty library must not fill it up and stop
        message = asdict(job) | {"started": time.monotonic()}
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "edgekit.bench.worker"],  # -P: no module of the current folder may slip in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=os.environ | environment,
            start_new_session=True,
        )
        with _ending(child), memory.Sampler(child.pid) as sampler:
            try:
                out, _ = child.communicate(json.dumps(message).encode(), timeout=limit)
            except subprocess.TimeoutExpired as exc:
                raise DeviceFailed(
                    f"the measured process did not finish within {limit:g} s and was killed.{_last_line(noise)}",
                    hint="Give fewer or shorter inputs, fewer loops, or check that the bundle runs: edgekit run BUNDLE",
                ) from exc
        answer = _answer(out, child.returncode, noise)
    memories = {"rss.peak": answer["peak"], "rss.anonymous": sampler.most.anonymous, "rss.file": sampler.most.file}
    answer["values"] |= {name: [float(size)] for name, size in memories.items() if size is not None}
    return answer


@contextlib.contextmanager
def _ending(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no process behind, whatever happens inside (an interrupt included): kill the child and what it started."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _answer(out: bytes, status: int, noise: IO[bytes]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError as exc:
        how = f"was killed by {_signal(-status)}" if status < 0 else f"ended with exit code {status}"
        why = " (out of memory?)" if status == -signal.SIGKILL else ""
        raise DeviceFailed(
            f"the measured process {how}{why} before it had a result.{_last_line(noise)}",
            hint="See whether the bundle runs at all: edgekit run BUNDLE INPUT",
        ) from exc
    if "error" in answer:
        raise _error(answer)
    answer["exit"] = status
    return answer


def _error(answer: Mapping[str, str]) -> EdgekitError:
    """The worker's exception as one of our tree; foreign ones are `DeviceFailed`."""
    kind = getattr(importlib.import_module("edgekit.errors"), answer["type"], None)
    if isinstance(kind, type) and issubclass(kind, EdgekitError):
        return kind(answer["error"], hint=answer["hint"])
    return DeviceFailed(f"the measured pipeline raised {answer['type']}: {answer['error']}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(noise: IO[bytes]) -> str:
    size = noise.seek(0, os.SEEK_END)
    noise.seek(max(0, size - 65536))
    lines = noise.read().decode("utf-8", errors="replace").strip().splitlines()
    return f" Its last words: {lines[-1].strip()[:300]}" if lines else ""


def _collect(answers: Sequence[Mapping[str, Any]]) -> tuple[Measurement, ...]:
    names = sorted({name for answer in answers for name in answer["values"]})
    return tuple(
        Measurement(
            name,
            _unit(name),
            tuple(tuple(answer["values"].get(name, ())) for answer in answers),
            tuple(tuple(answer["warmups"].get(name, ())) for answer in answers),
            _better(name),
        )
        for name in names
    )


def _unit(name: str) -> str:
    if name.startswith("rss."):
        return "B"
    return {"rtf": "1", "tokens_per_second": "tokens/s"}.get(name, "s")


def _better(name: str) -> Literal["lower", "higher"]:
    return "higher" if name == "tokens_per_second" else "lower"


def _context(
    job: Job, processes: int, load_average: float | None, answers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "processes": processes,
        "warmups": job.warmups,
        "loops": job.loops,
        "seconds": job.seconds,
        "load_average": load_average,
        "sections": [answer["section"] for answer in answers],
        "exits": [answer["exit"] for answer in answers],
    }


def _busy(context: Mapping[str, Any], load_average: float | None, threads: int) -> list[str]:
    """One loud line per cause, from the worst process."""
    sections = context["sections"]
    # The system counts in ticks of 10 ms: over a shorter time its rates are noise.
    long = [section for section in sections if "busy" in section and section["wall"] >= 0.5]
    causes = host.busy_warning(
        cpu=min(section["cpu"] / section["wall"] for section in sections),
        threads=threads,
        cores=os.cpu_count() or 1,
        load=load_average,
        steal=max((section["steal"] / section["wall"] for section in long), default=None),
        others=max(((section["busy"] - section["cpu"]) / section["wall"] for section in long), default=None),
    )
    found = [f"THE MACHINE WAS BUSY: {cause}; do not trust these times." for cause in causes]
    found += [
        f"process {number} crashed while it ended, after its results were complete (exit {status})."
        for number, status in enumerate(context["exits"], 1)
        if status
    ]
    return found


def _nondeterministic(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    first = answers[0]["outputs"]
    changed = {at for answer in answers for at in answer["differing"]}
    changed |= {at for answer in answers for at, text in enumerate(answer["outputs"]) if text != first[at]}
    if not changed:
        return []
    which = ", ".join(str(at + 1) for at in sorted(changed))
    return [f"not deterministic: repeats of the same input gave different outputs (input {which})."]


def _unstable(measurements: Sequence[Measurement], inputs: int) -> list[str]:
    """Findings about the end-to-end latency, each input by itself: different inputs may take different times."""
    latencies = next((item for item in measurements if item.name == "end_to_end.latency"), None)
    if latencies is None:
        return []
    found = []
    for at in range(inputs):
        repeats = [group[at::inputs] for group in latencies.values if group[at::inputs]]
        where = f"unstable: end_to_end.latency of input {at + 1}"
        for number, values in enumerate(repeats, 1):
            found += [f"{where}, process {number}: {finding}." for finding in stats.unstable(values)]
        middles = [stats.median(values) for values in repeats if len(values) >= 5]
        if len(middles) > 1 and max(middles) > 1.05 * min(middles):
            found.append(f"{where}: the processes' medians differ by {max(middles) / min(middles) - 1:.0%}.")
    return found
