"""A machine counts as busy by what others took while it was measured; by its load before only where that is unknown."""

from __future__ import annotations

import pytest

from edgekit.bench.processes.answers import Answer
from edgekit.bench.processes.doubts import doubts
from edgekit.core import Measurement

VALUES = (Measurement("end_to_end.latency", "s", ((0.01,) * 9, (0.01,) * 9)),)


def answer(**section: float) -> Answer:
    facts = {"wall": 1.0, "cpu": 1.0, "steal": 0.0, **section}
    return Answer({}, facts, outputs=["a"])


@pytest.mark.parametrize(
    ("section", "load", "words"),
    [
        ({"busy": 1.05}, 5.0, ""),  # what made the load was gone: an export of our own, say
        ({"busy": 2.0}, 0.0, "other processes used 1.0 of 1 cores"),
        ({}, 5.0, "the load average before the start was 5.0"),
        ({}, 0.2, ""),
        ({"busy": 1.0, "wall": 0.2, "cpu": 0.2}, 5.0, "the load average before the start"),  # too short to count ticks
    ],
)
def test_what_makes_a_machine_busy(section: dict[str, float], load: float, words: str) -> None:
    found = [text for text in doubts(VALUES, [answer(**section)] * 2, 1, 1, load, 1) if "BUSY" in text]
    assert [words in text for text in found] == ([True] if words else [])
