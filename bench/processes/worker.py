"""The child process of a measurement: ``python -m edgekit.bench.processes.worker``, one JSON job on stdin, one JSON
line back.

A process of its own, because the first load, the peak of memory and a crash can each happen only once per process. The
answer leaves through a private copy of stdout; descriptor 1 itself becomes stderr before anything is imported, so that
what libraries print (C++ ones too) cannot break it.

Only the standard library and `edgekit.core` are imported here before the job's loader: whatever is, counts as load
time.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.bench.machine import host, memory
from edgekit.bench.processes.answers import Answer
from edgekit.common.lazy import NDArray
from edgekit.core import Json, Prediction, Predictor, Runner

#: Measured rounds by default: at least three show a spread, and 500 show a 99th percentile.
FEWEST, MOST = 3, 500

#: A value must span so many steps (or costs) of the clock, so that reading it is less than 1 % of the value.
_STEPS = 100

#: bundle path, threads, wrap -> predictor. The loader must pass every part's runner through `wrap`, if not None.
Loader = Callable[[str, int, Callable[[str, Runner], Runner] | None], Predictor]


@dataclass(frozen=True)
class Job:
    """What a worker has to do.

    Attributes:
        load: ``"module:function"`` of the `Loader`.
        bundle: path of the bundle. inputs: what `Predictor.predict` takes, at least one.
        threads: for the runtime.
        warmups: rounds over all inputs that are thrown out, at most; see `warm_up`.
        loops: rounds that are measured, at most; None: as many as fit into `seconds`, from `FEWEST` to `MOST`.
        seconds: no new round of either kind starts after so long.
        started: the parent's `time.monotonic` just before it started this process (one clock for the whole system);
            set by `edgekit.bench.processes.child.start_child`, as is the next.
        parent: a pipe that ends when the parent does, so that no worker outlives it; None: nobody watches.
        memory: bytes of private memory that the system may give out at most (a backstop), None: no limit.
    """

    load: str
    bundle: str
    inputs: Sequence[str]
    threads: int
    warmups: int
    loops: int | None
    seconds: float
    started: float = 0.0
    parent: int | None = None
    memory: int | None = None


class Recorder:
    """Collects values by measurement name, in the order in which they are taken."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}
        self.dropped = 0

    def add(self, name: str, value: float) -> None:
        """Keep a value; what is no finite number >= 0 is no measurement: it is dropped and counted."""
        if math.isfinite(value) and value >= 0.0:
            self._values.setdefault(name, []).append(value)
        else:
            self.dropped += 1

    def take(self) -> dict[str, list[float]]:
        """Everything since the last `take`."""
        values, self._values = self._values, {}
        return values

    def wrap(self, name: str, runner: Runner) -> Runner:
        """`runner`, with each call's seconds recorded as ``part.NAME.latency``."""
        return _Timed(f"part.{name}.latency", runner, self)


class _Timed(Runner):
    def __init__(self, name: str, runner: Runner, recorder: Recorder) -> None:
        self.inputs, self.outputs, self.stateful = runner.inputs, runner.outputs, runner.stateful
        self._name, self._runner, self._recorder = name, runner, recorder

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        before = time.perf_counter()
        outputs = self._runner(feeds)
        self._recorder.add(self._name, time.perf_counter() - before)
        return outputs

    def reset(self) -> None:
        self._runner.reset()


def perform(job: Job) -> Answer:
    """Load, warm up, measure."""
    recorder = Recorder()
    loader = _resolve(job.load)
    imported = time.monotonic()
    predictor = loader(job.bundle, job.threads, recorder.wrap)
    loaded = time.monotonic()
    recorder.take()  # calls that a loader makes while it loads are part of the load
    steady = warm_up(predictor, job, recorder)
    warmups = recorder.take()
    calls = part_calls(warmups.get("end_to_end.latency", []))
    before = _reading()
    rounds = _measure(predictor, job, recorder, calls)
    section = {name: value - before[name] for name, value in _reading().items() if name in before}
    values = recorder.take()
    values["load.import"] = [imported - job.started]
    values["load.bundle"] = [loaded - imported]
    values["load.cold"] = [loaded - job.started]
    differing = [at for at in range(len(job.inputs)) if any(outputs[at] != rounds[0][at] for outputs in rounds)]
    dropped, peak = recorder.dropped, memory.peak()
    return Answer(values, section, peak, warmups, rounds[0], differing, steady, calls, len(rounds), dropped)


def main() -> int:
    """Read a job, answer it. Exit code 0 with a result, 1 with ``{"error": message, "type": class, "hint": text}``."""

    def handle_message(message: dict[str, Any], channel: int) -> Answer:
        job = Job(**message)
        obey(job.parent, job.memory)
        return perform(job)

    return answering(handle_message)


def answering(performed: Callable[[dict[str, Json], int], Answer]) -> int:
    """Read a job, write what `performed` (the job, and the descriptor that the answer goes to) makes of it, as a line.

    Returns:
        The exit code: see `main`.
    """
    channel = _private_stdout()
    status = 0
    try:
        answer = asdict(performed(json.load(sys.stdin), channel))
    except (Exception, SystemExit) as exc:
        traceback.print_exc()
        status = 1
        message = getattr(exc, "message", None) or str(exc) or "no message"
        answer = {"error": message, "type": type(exc).__name__, "hint": getattr(exc, "hint", "")}
    with os.fdopen(channel, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer) + "\n")
    return status


def obey(parent: int | None, memory: int | None) -> None:
    """Die with the parent, whatever becomes of it, and take no more memory than was allowed (see `Job`)."""
    if parent is not None:
        # A blocked read costs the measurement nothing, unlike a look at the parent now and then.
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    if memory is not None and sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _follow(parent: int) -> None:
    """Wait for the pipe's end, then kill this process and all that it started (it leads a group of its own)."""
    os.read(parent, 1)
    os.killpg(0, signal.SIGKILL)


def _private_stdout() -> int:
    """A copy of stdout that only we know (and children do not inherit); everyone else's stdout becomes stderr."""
    sys.stdout.flush()
    channel = os.dup(1)
    os.dup2(2, 1)
    return channel


def _resolve(name: str) -> Loader:
    module, _, attribute = name.partition(":")
    loader: Loader = getattr(importlib.import_module(module), attribute)
    return loader


def warm_up(predictor: Predictor, job: Job, recorder: Recorder) -> bool:
    """Rounds until none of two in a row is more than 2 % faster than the fastest before; whether it came to that.

    Waiting for equal rounds would never end on a noisy machine, and end by chance on a machine that slowly warms up.
    """
    began, best, flat = time.perf_counter(), math.inf, 0
    for _ in range(job.warmups):
        before = time.perf_counter()
        _round(predictor, job.inputs, recorder)
        now = time.perf_counter()
        flat = flat + 1 if now - before >= 0.98 * best else 0
        best = min(best, now - before)
        if flat == 2 or now - began > job.seconds:
            break
    return flat == 2 or job.warmups == 0


def part_calls(latencies: Sequence[float]) -> int:
    """Calls per value, a power of two: 1, except where the clock is too coarse or slow for one call."""
    shortest = max(min(latencies, default=1.0), 1e-9)
    calls = 1
    while calls * shortest < _STEPS * _clock_step() and calls < 2**16:
        calls *= 2
    return calls


def _clock_step() -> float:
    """The least time that the clock tells apart, or that a reading takes: the smallest step of many, in seconds."""
    steps: list[float] = []
    last = time.perf_counter()
    for _ in range(100_000):  # of a clock that stands still, too
        now = time.perf_counter()
        if now > last:
            steps.append(now - last)
        last = now
        if len(steps) == 20:
            break
    return min(steps, default=1e-9)


def _measure(predictor: Predictor, job: Job, recorder: Recorder, calls: int) -> list[list[str]]:
    """Whole rounds only, so that every input weighs the same and value i belongs to input ``i % len(inputs)``."""
    began = time.perf_counter()
    least, most = (FEWEST, MOST) if job.loops is None else (1, job.loops)
    rounds: list[list[str]] = []
    while len(rounds) < most:
        rounds.append(_round(predictor, job.inputs, recorder, calls))
        if len(rounds) >= least and time.perf_counter() - began > job.seconds:
            break
    return rounds


def _round(predictor: Predictor, inputs: Sequence[str], recorder: Recorder, calls: int = 1) -> list[str]:
    predictions = []
    for sample in inputs:
        before = time.perf_counter()
        for _ in range(calls):
            prediction = predictor.predict(sample)
        latency = (time.perf_counter() - before) / calls
        _derive(prediction, latency, recorder)
        predictions.append(prediction)
    return [_text(prediction.output) for prediction in predictions]


def _derive(prediction: Prediction, latency: float, recorder: Recorder) -> None:
    """The per-input measurements.

    ``tokens_per_second`` is the rate of decoding after the first token, (tokens - 1) / (latency - first token), the
    inverse of MLPerf Inference's time per output token. It needs two tokens and the mark; else it is not measured.
    """
    recorder.add("end_to_end.latency", latency)
    audio, tokens = prediction.units.get("audio_seconds", 0.0), prediction.units.get("tokens", 0.0)
    if audio > 0.0:
        recorder.add("rtf", latency / audio)
    first = prediction.marks.get("first_token")
    if first is None:
        return
    recorder.add("first_token", first)
    if tokens >= 2 and latency > first:
        recorder.add("tokens_per_second", (tokens - 1) / (latency - first))


def _text(output: Any) -> str:
    """An output as a text that is equal exactly when the output is (arrays by their values)."""
    return output if isinstance(output, str) else json.dumps(output, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def _reading() -> dict[str, float]:
    """Counters whose difference over the measured section tells what happened in it (seconds, and numbers)."""
    counters = {"wall": time.perf_counter(), "calendar": time.time(), "cpu": time.process_time()}
    system = host.cpu_times()
    if system is not None:
        counters |= {"busy": system.busy, "steal": system.steal}
    try:
        import resource
    except ImportError:  # Windows
        return counters
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return counters | {"voluntary_switches": usage.ru_nvcsw, "involuntary_switches": usage.ru_nivcsw}


if __name__ == "__main__":
    sys.exit(main())
