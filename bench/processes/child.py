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
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from edgekit.bench.machine import host, memory
from edgekit.bench.processes.answers import Answer, failure
from edgekit.bench.processes.worker import Job

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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


def once(setup: Setup) -> Answer:
    """Measure in one fresh process.

    Returns:
        The worker's answer (`edgekit.bench.processes.worker.perform`) with `exit`, `state` and the memory among its
        values; or one with a `failure`: "failed", "crashed", "hung" or "out of memory".
    """
    before = host.state()
    with tempfile.TemporaryFile() as noise:  # not a pipe: a chatty library must not fill it up and stop
        answer = _run_child(setup, noise)
    if not answer.failure:
        answer.state = [before, host.state()]
    return answer


def _run_child(setup: Setup, noise: IO[bytes]) -> Answer:
    # RLIMIT_DATA counts what was asked for, not what was touched: a backstop; the sampler is the limit.
    most = None if setup.memory is None else 2 * setup.memory + 2**30
    rounds = setup.warmups, setup.loops, setup.seconds
    job = Job(setup.load, str(setup.bundle), setup.inputs, setup.threads, *rounds, memory=most)
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


def hung(limit: float, noise: IO[bytes]) -> Answer:
    """The failure of a process that took longer than `limit` seconds."""
    return failure(
        "hung",
        f"the measured process did not finish within {limit:g} s and was killed.{_last_line(noise)}",
        "Give fewer or shorter inputs, fewer loops, or check that the bundle runs: edgekit run BUNDLE",
    )


def outcome(out: bytes, status: int, noise: IO[bytes], sampler: memory.Sampler, most: int | None) -> Answer:
    """What a process that has ended left on its standard output, with its memory among the values; or its failure."""
    if sampler.stopped is not None:
        return failure(
            "out of memory",
            f"the measured process took {sampler.stopped / 1e6:.0f} MB, more than the {(most or 0) / 1e6:.0f} "
            "MB that it was allowed, and was killed.",
            "Raise --memory, or measure a smaller precision.",
        )
    answer = _answer(out, status, noise)
    if not answer.failure:
        memories = {"rss.peak": answer.peak, "rss.anonymous": sampler.most.anonymous, "rss.file": sampler.most.file}
        answer.values |= {name: [float(size)] for name, size in memories.items() if size is not None}
    return answer


@contextlib.contextmanager
def start_child(
    module: str, job: DataclassInstance, threads: int, noise: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """A child that runs `module`, and the job to send it. No process is left behind, whatever happens inside (an
    interrupt included).

    Args:
        job: JSON-able; its `started` and `parent` (a pipe that ends with this process) are set here.
    """
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    reading, writing = os.pipe()
    try:
        message = json.dumps(asdict(job) | {"started": time.monotonic(), "parent": reading}).encode()
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


def _answer(out: bytes, status: int, noise: IO[bytes]) -> Answer:
    try:
        answer = json.loads(out)
    except ValueError:
        how = f"was killed by {_signal(-status)}" if status < 0 else f"ended with exit code {status}"
        why = " (out of memory?)" if status == -signal.SIGKILL else ""
        return failure("crashed", f"the measured process {how}{why} before it had a result.{_last_line(noise)}", _RUNS)
    if "error" in answer:
        kind, text = answer["type"], answer["error"]
        full = kind == "MemoryError" or "bad_alloc" in text or "failed to allocate memory" in text.lower()
        return failure("out of memory" if full else "failed", text, answer["hint"], kind)
    return Answer(**answer | {"exit": status})


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
