"""Speed of a language model in a fresh process: ``python -m edgekit.bench.generation``, a job in, an answer out.

Prompt and generation are timed by the runner's own `speed` (llama-bench's method). Every value knows what the machine
did meanwhile: one that was taken while the process did not get its cores, or while others used them, is thrown out and
taken again, as often as it was to be taken; what then is still missing is filled with the thrown ones, and said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.bench import host, memory
from edgekit.errors import DeviceFailed

__all__ = ["Job", "main", "measure", "perform", "tests"]

_SECONDS = 1800.0


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        load: ``"module:function"`` (bundle, threads, wrap) -> a predictor whose ``network`` has ``speed``.
        prompt: a text whose first answer is timed. tests: name -> arguments of ``speed`` (prompt, generate, depth).
        repeats: values of each. started: the parent's `time.monotonic`.
    """

    load: str
    bundle: str
    prompt: str
    threads: int
    tests: Mapping[str, Mapping[str, int]]
    repeats: int
    started: float = 0.0


def measure(job: Job) -> dict[str, Any]:
    """One fresh process.

    Returns:
        ``values`` by name; ``rejected`` by name, the values that were thrown out; ``doubtful``, names whose values are
        partly such; ``section``, what the machine did meanwhile.

    Raises:
        DeviceFailed: the process failed.
    """
    message = json.dumps(asdict(job) | {"started": time.monotonic()}).encode()
    command = [sys.executable, "-P", "-m", "edgekit.bench.generation"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        with memory.Sampler(child.pid) as sampler:
            out, said = child.communicate(message, timeout=_SECONDS)
    except BaseException:
        child.kill()
        child.wait()
        raise
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError as exc:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise DeviceFailed(
            f"the measured process ended with exit code {child.returncode}: {last[:300]}",
            hint='See whether the bundle runs at all: edgekit run BUNDLE "Hello"',
        ) from exc
    sizes = {"rss.peak": answer["peak"], "rss.anonymous": sampler.most.anonymous, "rss.file": sampler.most.file}
    answer["values"] |= {name: [float(size)] for name, size in sizes.items() if size is not None}
    return answer


def perform(job: Job) -> dict[str, Any]:
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
        network.clear()
        return float(predictor.predict(job.prompt, raw=True, most=1).marks["first_token"])

    first()
    before = _reading()
    series: dict[str, Callable[[], float]] = {"first_token": first}
    series |= {test: _speed(network, arguments) for test, arguments in job.tests.items()}
    for what, take in series.items():
        kept, thrown = _values(take, job.repeats, job.threads)
        values[what] = [*kept, *thrown[: job.repeats - len(kept)]]
        rejected[what] = thrown
        doubtful += [what] if len(kept) < job.repeats else []
    section = {name: value - before[name] for name, value in _reading().items() if name in before}
    return {
        "values": values,
        "rejected": rejected,
        "doubtful": doubtful,
        "section": section,
        "peak": memory.peak(),
    }


def _speed(network: Any, arguments: Mapping[str, int]) -> Callable[[], float]:
    return lambda: float(network.speed(**arguments))


def _values(take: Callable[[], float], repeats: int, threads: int) -> tuple[list[float], list[float]]:
    """Values taken on a machine that did nothing else, and those that were not; the first of all is a warm-up."""
    kept: list[float] = []
    thrown: list[float] = []
    take()
    while len(kept) < repeats and len(kept) + len(thrown) < 2 * repeats:
        before = _reading()
        value = take()
        (thrown if _busy(before, _reading(), threads) else kept).append(value)
    return kept, thrown


def _busy(before: Mapping[str, float], after: Mapping[str, float], threads: int) -> bool:
    """Whether this process lacked its cores meanwhile, or others used more than what it leaves free."""
    wall = after["wall"] - before["wall"]
    cpu = (after["cpu"] - before["cpu"]) / wall
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cpu < 0.9 * min(threads, cores):
        return True
    if "busy" not in before or wall < 0.2:  # the system counts in steps of 10 ms
        return False
    others = (after["busy"] - before["busy"]) / wall - cpu
    return others > max(0, cores - threads) + 0.15


def _reading() -> dict[str, float]:
    found = {"wall": time.perf_counter(), "cpu": time.process_time()}
    system = host.cpu_times()
    return found if system is None else found | {"busy": system.busy, "steal": system.steal}


def tests(depths: Sequence[int], trained: int) -> dict[str, dict[str, int]]:
    """pp512 and tg128 of llama-bench, and generation after so many tokens, as far as the model was trained."""
    plain = {"pp512": {"prompt": 512}, "tg128": {"generate": 128}}
    return plain | {f"tg32@{depth}": {"generate": 32, "depth": depth} for depth in depths if depth + 32 <= trained}


def main() -> None:
    """Read a job, write its answer. Whatever a library prints goes to standard error."""
    channel = os.dup(1)
    os.dup2(2, 1)
    answer = perform(Job(**json.load(sys.stdin)))
    with os.fdopen(channel, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer))


if __name__ == "__main__":
    main()
