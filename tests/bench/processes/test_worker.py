"""Measuring in child processes, with a fake loader that behaves well or badly on demand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgekit.bench.processes.run
from edgekit.bench.machine import memory
from edgekit.bench.processes import worker
from edgekit.bench.processes.answers import Answer, failure
from edgekit.bench.processes.child import once
from edgekit.bench.processes.run import Result, Setup, in_turns, measure
from edgekit.core import Runner
from edgekit.errors import BadInput, DeviceFailed

LOADER = """
import itertools, os, pathlib, signal, subprocess, sys, time
from edgekit.core import Prediction, Predictor, Runner

class Adder(Runner):
    inputs = outputs = ()
    def __call__(self, feeds):
        return {"y": feeds["x"] + 1}

class Fake(Predictor):
    def __init__(self, runner, behaviour):
        self.runner, self.behaviour, self.count = runner, behaviour, itertools.count()

    def predict(self, sample, **options):
        turn = next(self.count)
        if self.behaviour == "noise":
            print("noise from python", flush=True)
            os.write(1, b"{noise from c}\\n")
            subprocess.run(["echo", "noise from a child"], check=True)
        elif self.behaviour == "exit":
            print("about to leave", file=sys.stderr, flush=True)
            os._exit(3)
        elif self.behaviour == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self.behaviour == "raise":
            raise RuntimeError("the graph is broken")
        elif self.behaviour == "badinput":
            from edgekit.errors import BadInput
            raise BadInput("no such audio.", hint="record one")
        elif self.behaviour.startswith("hang"):
            pathlib.Path(self.behaviour.partition("=")[2]).write_text(str(os.getpid()))
            time.sleep(600)
        time.sleep(0.001)  # long enough for one call to be one value
        for _ in range(2):
            self.runner({"x": turn})
        text = {"random": f"{sample} {turn}", "pid": f"{sample} {os.getpid()}"}.get(self.behaviour, sample)
        tokens = {"silent": 0, "word": 1}.get(self.behaviour, 3)
        return Prediction(text, units={"audio_seconds": 2.0, "tokens": tokens}, marks={"first_token": 0.0})

def load(bundle, threads, wrap):
    assert threads == int(os.environ["OMP_NUM_THREADS"])
    runner = wrap("encoder", Adder())
    runner({"x": 0})  # a call while loading, which must not be counted
    if bundle == "large":
        global ballast
        ballast = bytearray(64 * 1024 * 1024)
        ballast[::4096] = bytes([1]) * len(ballast[::4096])
        time.sleep(0.1)
    return Fake(runner, bundle)
"""


@pytest.fixture(autouse=True)
def _fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_edgekit_loader.py").write_text(LOADER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))


def run(
    behaviour: str = "fine", *, processes: int = 1, limit: float = 60.0, inputs: tuple[str, ...] = ("a", "b")
) -> Result:
    return measure(
        "fake_edgekit_loader:load",
        Path(behaviour),
        ("a", "b"),
        threads=1,
        processes=processes,
        warmups=2,
        loops=3,
        limit=limit,
    )


def test_every_quantity_is_measured_per_process() -> None:
    steps: list[tuple[int, int]] = []
    found = measure(
        "fake_edgekit_loader:load",
        Path("fine"),
        ["a", "b"],
        threads=1,
        processes=2,
        warmups=1,
        loops=3,
        progress=lambda _what, done, total: steps.append((done, total)),
    )
    by_name = {item.name: item for item in found.measurements}
    counts = {name: [len(group) for group in item.values] for name, item in by_name.items()}
    assert counts["end_to_end.latency"] == [6, 6]
    assert counts["part.encoder.latency"] == [12, 12]
    assert counts["rtf"] == counts["tokens_per_second"] == counts["first_token"] == [6, 6]
    assert counts["load.cold"] == counts["rss.peak"] == [1, 1]
    assert [len(group) for group in by_name["end_to_end.latency"].warmups] == [2, 2]
    assert [len(group) for group in by_name["part.encoder.latency"].warmups] == [4, 4]
    assert {name: by_name[name].unit for name in ("load.cold", "rtf", "tokens_per_second", "rss.peak")} == {
        "load.cold": "s",
        "rtf": "1",
        "tokens_per_second": "tokens/s",
        "rss.peak": "B",
    }
    assert by_name["tokens_per_second"].better == "higher"
    assert found.outputs == ["a", "b"]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    assert not any("deterministic" in warning for warning in found.warnings)


def test_derived_values_agree_with_the_latency() -> None:
    by_name = {item.name: item.values[0] for item in run().measurements}
    latency = by_name["end_to_end.latency"]
    assert by_name["rtf"] == pytest.approx([value / 2.0 for value in latency])
    assert by_name["tokens_per_second"] == pytest.approx([2 / value for value in latency])
    assert by_name["load.cold"][0] == pytest.approx(by_name["load.import"][0] + by_name["load.bundle"][0])
    assert all(part <= whole for part, whole in zip(by_name["part.encoder.latency"][::2], latency, strict=True))


@pytest.mark.parametrize("behaviour", ["silent", "word"])
def test_less_than_two_tokens_means_no_rate(behaviour: str) -> None:
    assert "tokens_per_second" not in {item.name for item in run(behaviour).measurements}


def test_noise_on_stdout_does_not_break_the_result() -> None:
    assert run("noise").outputs == ["a", "b"]


@pytest.mark.parametrize(("behaviour", "processes"), [("random", 1), ("pid", 2)])
def test_an_output_that_changes_within_or_between_processes_is_reported(behaviour: str, processes: int) -> None:
    assert any("not deterministic" in warning for warning in run(behaviour, processes=processes).warnings)


def answer(latencies: list[float], **section: float) -> Answer:
    """What a worker on a quiet machine says, `section` apart."""
    quiet = {"wall": 1.0, "cpu": 0.99, "busy": 1.0, "steal": 0.0}
    values = {"end_to_end.latency": latencies, "rss.peak": [1.0]}
    return Answer(values, quiet | section, outputs=["a", "b"])


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([answer([1.0, 9.0] * 6)] * 3, []),
        (
            [answer([1.0, 9.0] * 6), answer([1.0, 9.0, 1.5, 9.0, 0.5, 9.0] * 2)],
            ["latency of input 1, process 2", "spread"],
        ),
        (
            [answer([1.0, 9.0] * 6), answer([1.0, 11.0] * 6)],
            ["latency of input 2: the processes' medians differ by 22%"],
        ),
        ([answer([1.0, 9.0] * 6, cpu=0.3, busy=0.3)], ["MACHINE WAS BUSY", "30%"]),
        ([answer([1.0, 9.0] * 6, steal=0.4)], ["MACHINE WAS BUSY", "40% of a core"]),
        ([replace(answer([1.0, 9.0] * 6), exit=-11)], ["crashed while it ended", "-11"]),
        ([replace(answer([1.0, 9.0] * 6), dropped=2)], ["clock jumped", "2 readings"]),
        ([answer([1.0, 9.0] * 6, calendar=9.0)], ["clocks disagree", "9.0 s by the calendar"]),
        ([answer([1.0, 9.0] * 5 + [0.0, 9.0])], ["1 values of end_to_end.latency are zero"]),
        ([replace(answer([1.0, 9.0] * 6), steady=False)], ["did not settle in 1 of 1", "--processes 10"]),
        ([replace(answer([1.0, 9.0] * 6), state=[{"throttled": 1}, {"throttled": 3}])], ["throttled itself"]),
        ([answer([1.0 + 0.01 * i, 9.0] * 6) for i in range(8)], ["slower one after another, by 7%"]),
    ],
)
def test_doubts_about_the_measurement_become_warnings(
    answers: list[Answer], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter(answers)
    monkeypatch.setattr(edgekit.bench.processes.run.child, "once", lambda _setup: next(turns))
    monkeypatch.setattr(edgekit.bench.processes.run.host, "load_average", lambda: 0.0)
    monkeypatch.setattr(edgekit.bench.processes.run.os, "cpu_count", lambda: 1)
    text = " ".join(run(processes=len(answers)).warnings)
    assert bool(text) == bool(words)
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("exit", ("exit code 3", "about to leave")),
        ("segfault", ("SIGSEGV",)),
        ("raise", ("RuntimeError", "the graph is broken")),
    ],
)
def test_a_worker_that_dies_says_how(behaviour: str, words: tuple[str, ...]) -> None:
    with pytest.raises(DeviceFailed) as caught:
        run(behaviour)
    for word in words:
        assert word in str(caught.value)


def test_our_own_errors_keep_their_class_and_hint() -> None:
    with pytest.raises(BadInput, match="no such audio") as caught:
        run("badinput")
    assert caught.value.hint == "record one"


def test_a_missing_loader_is_named() -> None:
    with pytest.raises(DeviceFailed, match="no_such_loader"):
        measure("no_such_loader:load", Path(), ["a"], threads=1)


def test_a_hung_worker_is_killed(tmp_path: Path) -> None:
    with pytest.raises(DeviceFailed, match="did not finish within 2 s"):
        run(f"hang={tmp_path / 'pid'}", limit=2.0)
    assert _gone(tmp_path / "pid")


def test_an_interrupt_kills_the_worker(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(f"hang={tmp_path / 'pid'}")
    thread.join()
    assert _gone(tmp_path / "pid")


@pytest.mark.parametrize("change", [{"inputs": []}, {"threads": 0}, {"processes": 0}, {"loops": 0}, {"seconds": 0.0}])
def test_numbers_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    arguments: dict[str, object] = {"inputs": ["a"], "threads": 1} | change
    with pytest.raises(BadInput):
        measure("x:y", Path(), **arguments)  # type: ignore[arg-type]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux splits resident memory")
def test_memory_that_the_loader_touches_is_seen_as_anonymous() -> None:
    small = {item.name: item.values[0][0] for item in run().measurements}
    large = {item.name: item.values[0][0] for item in run("large").measurements}
    for name in ("rss.peak", "rss.anonymous"):
        assert large[name] - small[name] > 48 * 1024 * 1024
    assert large["rss.file"] - small["rss.file"] < 16 * 1024 * 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux splits resident memory")
def test_current_memory_adds_up() -> None:
    now = memory.current()
    assert now.rss is not None
    assert now.anonymous is not None
    assert now.file is not None
    assert abs(now.rss - now.anonymous - now.file) < 4 * 1024 * 1024
    assert (memory.peak() or 0) >= now.rss // 2
    assert memory.current(2**22 + 1) == memory.Memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of another process's memory")
def test_a_worker_that_takes_too_much_memory_is_stopped_and_says_so() -> None:
    answer = once(Setup("fake_edgekit_loader:load", Path("large"), ("a",), 1, loops=1, memory=48 * 2**20))
    assert answer.failure is not None and answer.failure.outcome == "out of memory"
    assert "more than the 50 MB" in answer.failure.message


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from edgekit.bench.processes.child import Setup, once;"
        f"once(Setup('fake_edgekit_loader:load', Path('hang={tmp_path / 'pid'}'), ('a',), 1))"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        _until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        parent.kill()
    _until(lambda: _gone(tmp_path / "pid"))


def test_bundles_take_turns_forth_and_back_and_a_failed_one_drops_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fake(setup: Setup) -> Answer:
        seen.append(setup.load)
        return failure("failed", "", "") if setup.load == "b" else Answer({}, {})

    monkeypatch.setattr(edgekit.bench.processes.run.child, "once", fake)
    setups = [Setup(name, Path(), ("x",), 1) for name in "abc"]
    known = {(0, 1): Answer({}, {}, rounds=7)}
    answers = in_turns(setups, 3, known=lambda bundle, process: known.get((bundle, process)))
    assert "".join(seen) == "abccac"
    assert [len(found) for found in answers] == [3, 1, 3] and answers[0][1] is known[0, 1]


class Clock:
    """A clock that moves only when it is read or told to, in whole steps."""

    def __init__(self, step: float, cost: float) -> None:
        self.now, self.step, self.cost = 0.0, step, cost

    def perf_counter(self) -> float:
        self.now += self.cost
        return self.now // self.step * self.step

    monotonic = time = process_time = perf_counter


@pytest.mark.parametrize(("step", "calls"), [(1e-9, 1), (1e-3, 128)])
def test_a_coarse_clock_gets_more_calls_per_value(step: float, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(step, 1e-7)
    monkeypatch.setattr(worker, "time", clock)
    assert worker.part_calls([1e-3]) == calls
    assert worker.part_calls([]) == 1


@pytest.mark.parametrize(
    ("rounds", "taken", "steady"), [([5, 3, 2, 1, 1, 1, 1], 6, True), ([9, 8, 7, 6], 4, False), ([1] * 5, 3, True)]
)
def test_warm_up_goes_on_until_it_gets_no_faster(
    rounds: list[float], taken: int, steady: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1e-9, 0.0)
    left = iter(rounds)

    def work(*_: Any) -> list[str]:
        clock.now += next(left)
        return []

    monkeypatch.setattr(worker, "time", clock)
    monkeypatch.setattr(worker, "_round", work)
    job = worker.Job("", "", ["x"], 1, len(rounds), None, 1e9, 0.0)
    assert worker.warm_up(None, job, worker.Recorder()) is steady  # type: ignore[arg-type]
    assert len(rounds) - len(list(left)) == taken


def test_readings_that_go_backwards_are_counted() -> None:
    recorder = worker.Recorder()
    for value in (1.0, -0.5, float("nan"), 0.0):
        recorder.add("x", value)
    assert (recorder.take(), recorder.dropped) == ({"x": [1.0, 0.0]}, 2)


def test_a_timed_runner_forgets_when_it_is_told_to() -> None:
    """Or a streaming network would begin every round where the last one ended."""

    class Counter(Runner):
        inputs, outputs, stateful, held = (), (), True, 0

        def __call__(self, feeds: Any) -> Any:
            self.held += 1
            return {"held": self.held}

        def reset(self) -> None:
            self.held = 0

    timed = worker.Recorder().wrap("network", Counter())
    assert timed.stateful
    assert [timed({})["held"], timed({})["held"]] == [1, 2]
    timed.reset()
    assert timed({})["held"] == 1


def _until(true: Any) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def _gone(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False
