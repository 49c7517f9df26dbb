"""Quantized parts beside their fp32 form: faster, slower, or why it was not measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import toy_model

from edgekit.bundles import facts as facts_module
from edgekit.core import Artifact, TensorSpec
from edgekit.errors import BadInput
from edgekit.gate import speed

FEED = {"features": np.zeros(1, np.float32)}


class Clock:
    """Runners that take as long as they say, on a clock that only they move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(speed.time, "perf_counter", lambda: self.now)

    def exporter(self, **seconds: float) -> Any:
        def load(file: Path, threads: int) -> Any:
            took = next(value for name, value in seconds.items() if name in file.name)
            if took < 0:
                raise BadInput("it does not run")

            def call(feeds: Any) -> dict[str, Any]:
                self.now += took
                return {}

            call.inputs, call.outputs = toy_model.MODEL.network.parts[1].inputs, ()  # type: ignore[attr-defined]
            return call

        return type("Exporter", (), {"name": "toy", "untimed": "", "load": staticmethod(load)})()


@pytest.mark.parametrize("fp32, int8, slower", [(0.02, 0.01, False), (0.01, 0.02, True), (0.01, 0.01, False)])
def test_int8_that_is_slower_than_fp32_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fp32: float, int8: float, slower: bool
) -> None:
    (tmp_path / "network.fp32.toy").touch()
    exporter = Clock(monkeypatch).exporter(fp32=fp32, network=int8)
    found = speed.against_fp32(exporter, Artifact("network", "network.toy", {}), tmp_path, tmp_path, [FEED])
    assert found is not None
    assert (found["fp32"], found["this"]) == pytest.approx((fp32, int8))
    time = facts_module.call_time({"speed": found})
    assert time is not None and time.ratio == pytest.approx(int8 / fp32) and time.slower == slower


@pytest.mark.parametrize(("fp32", "rounds"), [(0.01, 21), (0.3, 6), (1.0, 5), (1.4, 5)])
def test_long_calls_get_few_rounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fp32: float, rounds: int) -> None:
    (tmp_path / "network.fp32.toy").touch()
    exporter = Clock(monkeypatch).exporter(fp32=fp32, network=fp32 / 2)
    found = speed.against_fp32(exporter, Artifact("network", "network.toy", {}), tmp_path, tmp_path, [FEED])
    assert found["rounds"] == rounds


@pytest.mark.parametrize(
    ("seconds", "feeds", "why"),
    [
        ({"fp32": 2.0, "network": 1.5}, 1, "15 seconds were too short for 5 rounds"),
        ({"fp32": 0.0, "network": 0.0}, 1, "a call is shorter than the clock can tell"),
        ({"fp32": -1.0, "network": 0.1}, 1, "it does not run"),
        ({"fp32": 0.1, "network": 0.1}, 0, "no input reached it"),
        ({"network": 0.1}, 1, "there is no fp32 form of it to compare with"),
    ],
)
def test_what_was_not_compared_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: dict[str, float], feeds: int, why: str
) -> None:
    if "fp32" in seconds:
        (tmp_path / "network.fp32.toy").touch()
    exporter, artifact = Clock(monkeypatch).exporter(**seconds), Artifact("network", "network.toy", {})
    found = speed.against_fp32(exporter, artifact, tmp_path, tmp_path, [FEED] * feeds)
    time = facts_module.call_time({"speed": found})
    assert found == {"not measured": why} and time is not None and time.missing == why and not time.slower
    assert facts_module.call_time({}) is None


def test_a_file_of_other_widths_of_whole_numbers_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "network.fp32.toy").touch()
    exporter, seen = Clock(monkeypatch).exporter(fp32=0.1, network=0.1), list[Any]()

    def load(file: Path, threads: int) -> Any:
        call = exporter.load(file, threads)

        def checked(feeds: Any) -> Any:
            seen.append({name: value.dtype.name for name, value in feeds.items()})
            return call(feeds)

        checked.inputs = (TensorSpec("tokens", "int32", (1,)),)  # type: ignore[attr-defined]
        return checked

    feed = {"input_ids": np.zeros(1, np.int64)}
    other = type("Exporter", (), {"name": "toy", "untimed": "", "load": staticmethod(load)})()
    found = speed.against_fp32(other, Artifact("network", "network.toy", {}), tmp_path, tmp_path, [feed])
    assert found["ratio"] == pytest.approx(1) and seen[0] == {"tokens": "int32"}
