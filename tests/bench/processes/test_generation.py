"""What is thrown out on a busy machine, and the roof. No timing is asserted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.bench.machine import roofline
from edgekit.bench.processes import generation
from edgekit.errors import BadInput, DeviceFailed


def readings(*deltas: tuple[float, float, float]) -> Iterator[dict[str, float]]:
    """Pairs of readings with so much wall, own and total processor time between them."""
    for wall, cpu, busy in deltas:
        yield {"wall": 0.0, "cpu": 0.0, "busy": 0.0}
        yield {"wall": wall, "cpu": cpu, "busy": busy}


QUIET, STARVED = (1.0, 2.0, 2.0), (1.0, 1.2, 2.0)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "usable_processors", lambda: 2)


def test_values_of_a_busy_machine_are_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    script = readings(QUIET, STARVED, QUIET)
    monkeypatch.setattr(generation, "_reading", lambda: next(script))
    numbers = iter(range(10))
    kept, thrown = generation.timed_values(lambda: float(next(numbers)), 2, 2)
    assert (kept, thrown) == ([0.0, 2.0], [1.0])


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    script = readings(*[STARVED] * 4)
    monkeypatch.setattr(generation, "_reading", lambda: next(script))
    kept, thrown = generation.timed_values(lambda: 1.0, 2, 2)
    assert (kept, len(thrown)) == ([], 4)


@pytest.mark.parametrize(
    ("delta", "threads", "busy"),
    [
        (QUIET, 2, False),
        (STARVED, 2, True),
        ((1.0, 1.0, 2.0), 1, False),
        ((1.0, 1.0, 2.3), 1, True),
        ((0.05, 0.1, 0.2), 2, False),
    ],
)
def test_busy(delta: tuple[float, float, float], threads: int, busy: bool) -> None:
    before, after = readings(delta)
    assert generation.shares_processor(before, after, threads) is busy


def test_the_sweep_ends_where_training_did() -> None:
    assert set(generation.sweep((512, 4096), 2048)) == {"tg32@512"}
    assert set(generation.sweep((512, 4096), 0)) == {"tg32@512", "tg32@4096"}
    assert generation.sweep((), 2048) == {}


def test_a_failed_process_is_told() -> None:
    job = generation.Job("no_such_module:load", "bundle", "prompt.txt", 1, {}, 1)
    with pytest.raises(DeviceFailed, match="no_such_module"):
        generation.measure(job)


LOADER = """
import sys, time
from edgekit.core import Prediction, Predictor
from edgekit.errors import BadInput

class Network:
    def forget(self): pass
    def speed(self, prompt=0, generate=0, depth=0):
        print("noise from a library")
        return float(prompt + generate)

class Writer(Predictor):
    network = Network()
    def predict(self, prompt, **options):
        return Prediction("", marks={"first_token": 0.25})

def good(bundle, threads, wrap): return Writer()
def hangs(bundle, threads, wrap): time.sleep(600)
def refuses(bundle, threads, wrap): raise BadInput("no such model.", hint="Make one.")
"""


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., generation.Job]:
    (tmp_path / "loaders.py").write_text(LOADER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    def job(name: str, **options: Any) -> generation.Job:
        return generation.Job(f"loaders:{name}", "bundle", "prompt.txt", 1, generation.PLAIN, 2, **options)

    return job


def test_a_process_tells_what_it_does_and_what_it_found(loader: Callable[..., generation.Job]) -> None:
    told: list[tuple[str, int, int]] = []
    answer = generation.measure(loader("good"), lambda *step: told.append(step))
    assert {name: answer.values[name] for name in ("pp512", "tg128", "first_token")} == {
        "pp512": [512.0, 512.0],
        "tg128": [128.0, 128.0],
        "first_token": [0.25, 0.25],
    }
    assert answer.values["load.cold"][0] > 0
    assert told[0][0] == "first_token"
    assert {what for what, _, _ in told} == {"first_token", "pp512", "tg128"}
    assert all(done < total == 6 for _, done, total in told)


def test_what_a_bundle_raises_is_told_as_itself_and_what_hangs_is_ended(loader: Callable[..., generation.Job]) -> None:
    with pytest.raises(BadInput, match="no such model"):
        generation.measure(loader("refuses"))
    with pytest.raises(DeviceFailed, match="did not finish"):
        generation.measure(loader("hangs", limit=1.0))


def test_the_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "_BYTES", 1 << 20)
    assert len(roofline.read_bandwidth(2, passes=2)) == 2
    assert roofline.share([10.0, 20.0], 100, 4000.0) == [0.25, 0.5]
    with pytest.raises(BadInput):
        roofline.read_bandwidth(0)
