"""What is thrown out on a busy machine, and the roof. No timing is asserted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgekit.bench import generation, roofline
from edgekit.errors import BadInput, DeviceFailed


def readings(*deltas: tuple[float, float, float]) -> Iterator[dict[str, float]]:
    """Pairs of readings with so much wall, own and total processor time between them."""
    for wall, cpu, busy in deltas:
        yield {"wall": 0.0, "cpu": 0.0, "busy": 0.0}
        yield {"wall": wall, "cpu": cpu, "busy": busy}


QUIET, STARVED = (1.0, 2.0, 2.0), (1.0, 1.2, 2.0)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


def test_values_of_a_busy_machine_are_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    script = readings(QUIET, STARVED, QUIET)
    monkeypatch.setattr(generation, "_reading", lambda: next(script))
    numbers = iter(range(10))
    kept, thrown = generation._values(lambda: float(next(numbers)), 2, 2)
    assert (kept, thrown) == ([1.0, 3.0], [2.0])


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    script = readings(*[STARVED] * 4)
    monkeypatch.setattr(generation, "_reading", lambda: next(script))
    kept, thrown = generation._values(lambda: 1.0, 2, 2)
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
    assert generation._busy(before, after, threads) is busy


def test_the_sweep_ends_where_training_did() -> None:
    assert set(generation.tests((512, 4096), 2048)) == {"pp512", "tg128", "tg32@512"}


def test_a_failed_process_is_told() -> None:
    job = generation.Job("no_such_module:load", "bundle", "prompt.txt", 1, {}, 1)
    with pytest.raises(DeviceFailed, match="no_such_module"):
        generation.measure(job)


def test_the_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "_BYTES", 1 << 20)
    assert len(roofline.read_bandwidth(2, passes=2)) == 2
    assert roofline.share([10.0, 20.0], 100, 4000.0) == [0.25, 0.5]
    with pytest.raises(BadInput):
        roofline.read_bandwidth(0)
