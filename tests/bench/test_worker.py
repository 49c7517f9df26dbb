"""Measuring in child processes, with a fake loader that behaves well or badly on demand."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import edgekit.bench.run
from edgekit.bench import memory
from edgekit.bench.run import Result, measure
from edgekit.errors import BadInput, DeviceFailed

LOADER = """
import itertools, os, pathlib, signal, subprocess, sys, time
from edgekit.core import Prediction

class Runner:
    inputs = outputs = ()
    def __call__(self, feeds):
        return {"y": feeds["x"] + 1}

class Fake:
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
        for _ in range(2):
            self.runner({"x": turn})
        text = {"random": f"{sample} {turn}", "pid": f"{sample} {os.getpid()}"}.get(self.behaviour, sample)
        tokens = {"silent": 0, "word": 1}.get(self.behaviour, 3)
        return Prediction(text, units={"audio_seconds": 2.0, "tokens": tokens}, marks={"first_token": 0.0})

def load(bundle, threads, wrap):
    assert threads == int(os.environ["OMP_NUM_THREADS"])
    runner = wrap("encoder", Runner())
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
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


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


def answer(latencies: list[float], **section: float) -> dict[str, Any]:
    """What a worker on a quiet machine says, `section` apart."""
    quiet = {"wall": 1.0, "cpu": 0.99, "busy": 1.0, "steal": 0.0}
    values = {"end_to_end.latency": latencies, "rss.peak": [1.0]}
    return {
        "values": values,
        "warmups": {},
        "outputs": ["a", "b"],
        "differing": [],
        "section": quiet | section,
        "exit": 0,
    }


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
        ([answer([1.0, 9.0] * 6) | {"exit": -11}], ["crashed while it ended", "-11"]),
    ],
)
def test_doubts_about_the_measurement_become_warnings(
    answers: list[dict[str, Any]], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter(answers)
    monkeypatch.setattr(edgekit.bench.run, "_worker", lambda _job, _limit: next(turns))
    monkeypatch.setattr(edgekit.bench.run.host, "load_average", lambda: 0.0)
    monkeypatch.setattr(edgekit.bench.run.os, "cpu_count", lambda: 1)
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


def _gone(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False
