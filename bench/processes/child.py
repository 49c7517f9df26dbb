"""One measured process: started, watched, and ended, whatever it does. What became of it is an answer, no exception.

A fresh process each, because the first load, the peak of memory and a crash can each happen only once per process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from edgekit.bench.machine import host, memory
from edgekit.bench.processes.worker import Job

__all__ = ["Setup", "hung", "kill", "once", "outcome", "start_child"]

_RUNS = "See whether the bundle runs at all: edgekit run BUNDLE INPUT"


@dataclass(frozen=True)
class Setup:
    """How one bundle is measured.

    Attributes:
        load: ``"module:function"`` of an `edgekit.bench.processes.worker.Loader`, importable in a fresh interpreter.
        bundle: what the loader opens. inputs: what `predict` takes, at least one.
        threads: of the loader, and of OpenMP and BLAS through the environment.
        warmups: rounds over all inputs that are thrown out, at most. loops: measured rounds, at most; None: as many as
            fit into `seconds`, 3 to 500. seconds: per process, no new round starts later.
        limit: seconds after which a process counts as hung and is killed.
        memory: bytes of resident memory above which it is killed; None: no limit.
    """

    load: str
    bundle: Path
    inputs: tuple[str, ...]
    threads: int
    warmups: int = 10
    loops: int | None = None
    seconds: float = 3.0
    limit: float = 600.0
    memory: int | None = None


def once(setup: Setup) -> dict[str, Any]:
    """Measure in one fresh process.

    Returns:
        The worker's answer (`edgekit.bench.processes.worker.perform`) with ``exit`` and ``state`` (the machine before
        and after) and the memory among its values; or ``{"failure": {"outcome", "message", "type", "hint"}}``, where
        the outcome is "failed", "crashed", "hung" or "out of memory" and the type an exception's class name.
    """
    before = host.state()
    with tempfile.TemporaryFile() as noise:  # not a pipe: a chatty library must not fill it up and stop
        answer = _run_child(setup, noise)
    if "failure" not in answer:
        answer["state"] = [before, host.state()]
    return answer


def _run_child(setup: Setup, noise: IO[bytes]) -> dict[str, Any]:
    def job(parent: int) -> Mapping[str, Any]:
        backstop = None if setup.memory is None else 2 * setup.memory + 2**30
        return asdict(
            Job(
                setup.load,
                str(setup.bundle),
                list(setup.inputs),
                setup.threads,
                setup.warmups,
                setup.loops,
                setup.seconds,
                started=time.monotonic(),
                parent=parent,
                # RLIMIT_DATA counts what was asked for, not what was touched: a backstop; the sampler is the limit.
                memory=backstop,
            )
        )

    with (
        start_child("edgekit.bench.processes.worker", job, setup.threads, noise) as (child, message),
        memory.Sampler(child.pid, most=setup.memory) as sampler,
    ):
        try:
            out, _ = child.communicate(message, timeout=setup.limit)
        except subprocess.TimeoutExpired:
            kill(child)
            return hung(setup.limit, noise)
    return outcome(out, child.returncode, noise, sampler, setup.memory)


def hung(limit: float, noise: IO[bytes]) -> dict[str, Any]:
    """The failure of a process that took longer than `limit` seconds."""
    return _failure(
        "hung",
        f"the measured process did not finish within {limit:g} s and was killed.{_last_line(noise)}",
        "Give fewer or shorter inputs, fewer loops, or check that the bundle runs: edgekit run BUNDLE",
    )


def outcome(out: bytes, status: int, noise: IO[bytes], sampler: memory.Sampler, most: int | None) -> dict[str, Any]:
    """What a process that has ended left on its standard output, with its memory among the values; or its failure."""
    if sampler.stopped is not None:
        return _failure(
            "out of memory",
            f"the measured process took {sampler.stopped / 1e6:.0f} MB, more than the {(most or 0) / 1e6:.0f} "
            "MB that it was allowed, and was killed.",
            "Raise --memory, or measure a smaller precision.",
        )
    answer = _answer(out, status, noise)
    if "failure" not in answer:
        memories = {"rss.peak": answer["peak"], "rss.anonymous": sampler.most.anonymous, "rss.file": sampler.most.file}
        answer["values"] |= {name: [float(size)] for name, size in memories.items() if size is not None}
    return answer


@contextlib.contextmanager
def start_child(
    module: str, job: Callable[[int], Mapping[str, Any]], threads: int, noise: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """A child that runs `module`, and the job to send it. No process is left behind, whatever happens inside (an
    interrupt included).

    Args:
        job: the pipe that ends with this process -> the job (JSON-able).
    """
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    reading, writing = os.pipe()
    try:
        message = json.dumps(job(reading)).encode()
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module],  # -P: no module of the current folder may slip in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=os.environ | environment,
            pass_fds=(reading,),
            start_new_session=True,
        )
        try:
            yield child, message
        except BaseException:
            kill(child)
            raise
        finally:
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
    finally:
        os.close(reading)
        os.close(writing)


def kill(child: subprocess.Popen[bytes]) -> None:
    """The child and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _answer(out: bytes, status: int, noise: IO[bytes]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        how = f"was killed by {_signal(-status)}" if status < 0 else f"ended with exit code {status}"
        why = " (out of memory?)" if status == -signal.SIGKILL else ""
        return _failure("crashed", f"the measured process {how}{why} before it had a result.{_last_line(noise)}", _RUNS)
    if "error" in answer:
        return _exception_failure(answer)
    answer["exit"] = status
    return answer


def _exception_failure(answer: Mapping[str, str]) -> dict[str, Any]:
    kind, text = answer["type"], answer["error"]
    full = kind == "MemoryError" or "bad_alloc" in text or "failed to allocate memory" in text.lower()
    return _failure("out of memory" if full else "failed", text, answer["hint"], kind)


def _failure(outcome: str, message: str, hint: str, kind: str = "DeviceFailed") -> dict[str, Any]:
    return {"failure": {"outcome": outcome, "message": message, "type": kind, "hint": hint}}


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
