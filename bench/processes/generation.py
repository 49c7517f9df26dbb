"""Speed of a language model in a fresh process: ``python -m edgekit.bench.processes.generation``, a job in, an answer
out.

Prompt and generation are timed by the runner's own `speed` (llama-bench's method). Every value knows what the machine
did meanwhile: a value that was taken while the process did not get its cores, or while others used them, is dropped and
taken again, as often as it was to be taken; what then is still missing is filled with the dropped values, and said.

The child writes a line of progress before each value, and its answer last.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from edgekit.bench.machine import host, memory
from edgekit.bench.processes import child, worker
from edgekit.bench.processes.answers import Answer
from edgekit.bench.processes.run import check_answer
from edgekit.common.processors import usable_processors

#: llama-bench's own two tests: name -> arguments of ``speed``.
PLAIN: Mapping[str, Mapping[str, int]] = {"pp512": {"prompt": 512}, "tg128": {"generate": 128}}
#: Tokens that are generated after a long text.
_AFTER = 32

#: (what is measured, values so far, values to take).
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Job:
    """What to measure in one process.

    Attributes:
        load: ``"module:function"`` (bundle, threads, wrap) -> a predictor whose ``network`` has ``speed``.
        prompt: a text whose first answer is timed; "": none is. tests: name -> arguments of ``speed`` (prompt,
            generate, depth).
        repeats: values of each. limit: seconds after which the process counts as hung. memory: bytes that it may hold,
            None: no limit.
        started, parent: see `edgekit.bench.processes.worker.Job`.
    """

    load: str
    bundle: str
    prompt: str
    threads: int
    tests: Mapping[str, Mapping[str, int]]
    repeats: int
    limit: float = 1800.0
    memory: int | None = None
    started: float = 0.0
    parent: int | None = None

    @property
    def steps(self) -> int:
        """Values that it takes where none is thrown out."""
        return self.repeats * (len(self.tests) + bool(self.prompt))


def measure(job: Job, tell: Tell = lambda what, done, total: None) -> Answer:
    """One fresh process.

    Raises:
        DeviceFailed: the process hung, crashed or took too much memory. EdgekitError: what the bundle raised.
    """

    late = threading.Event()
    with tempfile.TemporaryFile() as noise:  # not a pipe: a chatty library must not fill it up and stop
        with (
            child.start_child(__name__, job, job.threads, noise) as (process, sent),
            memory.Sampler(process.pid, most=job.memory) as sampler,
        ):

            def end() -> None:
                late.set()
                child.kill(process)

            watchdog = threading.Timer(job.limit, end)
            watchdog.daemon = True
            watchdog.start()
            try:
                out = _await_answer(process, sent, tell)
                status = process.wait()
            finally:
                watchdog.cancel()
        if late.is_set():
            answer = child.hung(job.limit, noise)
        else:
            answer = child.outcome(out, status, noise, sampler, job.memory)
    check_answer(answer)
    return answer


def _await_answer(process: subprocess.Popen[bytes], sent: bytes, tell: Tell) -> bytes:
    """The child's last line; those before it are progress."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(sent)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has ended already; how, its exit code tells
    last = b""
    for line in process.stdout:
        if last:
            tell(*json.loads(last))
        last = line
    return last


def perform(job: Job, tell: Tell = lambda what, done, total: None) -> Answer:
    """What the child does: see `measure`."""
    import importlib

    module, _, name = job.load.partition(":")
    loader = getattr(importlib.import_module(module), name)
    imported = time.monotonic()
    predictor = loader(job.bundle, job.threads, None)
    loaded = time.monotonic()
    network = predictor.network
    values = {"load.import": [imported - job.started], "load.bundle": [loaded - imported]}
    values["load.cold"] = [loaded - job.started]
    rejected: dict[str, list[float]] = {}
    doubtful: list[str] = []

    def first() -> float:
        network.forget()  # nothing of the prompt is known yet, but the room for it is there, as in an app
        return float(predictor.predict(job.prompt, raw=True, most=1).marks["first_token"])

    series: dict[str, Callable[[], float]] = {}
    if job.prompt:
        first()  # makes the room
        series["first_token"] = first
    series |= {test: _speed(network, arguments) for test, arguments in job.tests.items()}
    before, done = _reading(), 0
    for what, take in series.items():
        kept, thrown = timed_values(take, job.repeats, job.threads, _offset_progress(tell, what, done, job.steps))
        values[what] = [*kept, *thrown[: job.repeats - len(kept)]]
        rejected[what] = thrown
        doubtful += [what] if len(kept) < job.repeats else []
        done += job.repeats
    section = {name: value - before[name] for name, value in _reading().items() if name in before}
    return Answer(values, section, memory.peak(), rejected=rejected, doubtful=doubtful)


def _offset_progress(tell: Tell, what: str, before: int, total: int) -> Callable[[int], None]:
    return lambda done: tell(what, before + done, total)


def _speed(network: Any, arguments: Mapping[str, int]) -> Callable[[], float]:
    return lambda: float(network.speed(**arguments))


def timed_values(
    take: Callable[[], float], repeats: int, threads: int, tell: Callable[[int], None] = lambda done: None
) -> tuple[list[float], list[float]]:
    """Values taken on a machine that did nothing else, and those that were not. Each warms up by itself."""
    kept: list[float] = []
    thrown: list[float] = []
    while len(kept) < repeats and len(kept) + len(thrown) < 2 * repeats:
        tell(len(kept))
        before = _reading()
        value = take()
        (thrown if shares_processor(before, _reading(), threads) else kept).append(value)
    return kept, thrown


def shares_processor(before: Mapping[str, float], after: Mapping[str, float], threads: int) -> bool:
    """Whether this process lacked its cores meanwhile, or others used more than what it leaves free."""
    wall = after["wall"] - before["wall"]
    cpu = (after["cpu"] - before["cpu"]) / wall
    cores = usable_processors()
    if cpu < 0.9 * min(threads, cores):
        return True
    if "busy" not in before or wall < 0.2:  # the system counts in steps of 10 ms
        return False
    others = (after["busy"] - before["busy"]) / wall - cpu
    return others > max(0, cores - threads) + 0.15


def _reading() -> dict[str, float]:
    counters = {"wall": time.perf_counter(), "cpu": time.process_time()}
    system = host.cpu_times()
    return counters if system is None else counters | {"busy": system.busy, "steal": system.steal}


def sweep(depths: Sequence[int], trained: int) -> dict[str, dict[str, int]]:
    """Tests of generation after so many tokens, as far as the model was trained (0: not known)."""
    fit = sorted({depth for depth in depths if not trained or depth + _AFTER <= trained})
    return {f"tg{_AFTER}@{depth}": {"generate": _AFTER, "depth": depth} for depth in fit}


def main() -> int:
    """Read a job, write its progress and its answer. Whatever a library prints goes to standard error."""

    def handle_message(message: dict[str, Any], channel: int) -> Answer:
        job = Job(**message)
        worker.obey(job.parent, None)
        with os.fdopen(os.dup(channel), "w", encoding="utf-8") as lines:
            return perform(job, lambda *step: _line(lines, step))

    return worker.answering(handle_message)


def _line(lines: IO[str], step: tuple[Any, ...]) -> None:
    lines.write(json.dumps(step) + "\n")
    lines.flush()


if __name__ == "__main__":
    sys.exit(main())
