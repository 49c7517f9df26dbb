"""litert parts on emulated processors of phones: the same integers, tensors as a caller has them, state, and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.toys.toy_litert import SHAPE, calls, toy_bundle

from edgekit.bundles import golden
from edgekit.core import Bundle
from edgekit.errors import DeviceFailed, MissingExtra, ParityFailed
from edgekit.registry import find
from edgekit.runtimes.litert import runner as litert_runner
from edgekit.targets.android.arm64 import emulated, litert
from edgekit.targets.android.arm64.kit import Tools

PROVE = find("targets", "android").prove


@pytest.fixture(scope="session")
def tools() -> Tools:
    try:
        return litert.tools()
    except MissingExtra as exc:
        absent(str(exc))
        raise


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path)


@pytest.mark.thorough
def test_a_part_gives_the_same_integers_on_every_processor(tools: Tools, bundle: Path) -> None:
    found = PROVE(bundle, calls(bundle))
    assert found["runtime"] == f"LiteRT {litert.LIBRARY.revision}" and found["fidelity"] == "emulated"
    assert found["parts"]["toy"]["arithmetic"] == "static"
    assert all(found["parts"]["toy"][one]["steps"] <= 1 for one in emulated.PROCESSORS)
    assert 1e7 < found["memory_at_most"] < 1e8


@pytest.mark.thorough
def test_bytes_that_are_further_away_than_a_step_are_refused(tools: Tools, bundle: Path) -> None:
    made = calls(bundle)
    said = made["toy"][1][1]["said"]
    said[0, 0, 0, 0] += 0.02 * np.ptp(said)
    with pytest.raises(ParityFailed, match=r"steps away from this machine's answer on cortex-a53; static explains 1 "):
        PROVE(bundle, made)


@pytest.mark.thorough
def test_what_is_no_model_is_refused_by_the_runtime(tools: Tools, bundle: Path) -> None:
    made = calls(bundle)
    feeds = litert.feeds_of(bundle / "toy.tflite", [one for one, _ in made["toy"]])
    (bundle / "toy.tflite").write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 64)
    with pytest.raises(DeviceFailed, match=r"toy\.tflite failed on the emulated cortex-a76"):
        emulated.emulate(tools, bundle / "toy.tflite", feeds, "cortex-a76")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"x": np.zeros(SHAPE, np.int32)},
        {"x": np.zeros((1, 6, 5, 3), np.int8)},
        {"x": np.zeros((2, *SHAPE), np.int8)},
    ],
)
def test_inputs_that_the_part_does_not_take(tools: Tools, bundle: Path, feeds: dict[str, Any]) -> None:
    with pytest.raises(DeviceFailed, match=r"another number of inputs|is not what the model's input 0 is"):
        emulated.emulate(tools, bundle / "toy.tflite", [feeds], "cortex-a53")


def test_other_tensors_than_the_file_has_are_told(bundle: Path) -> None:
    with pytest.raises(DeviceFailed, match="other tensors"):
        litert.outputs_of(bundle / "toy.tflite", [{"0": np.zeros((1, 6, 5, 3), np.float32)}])


@pytest.mark.real
def test_a_stream_keeps_its_state_there(tools: Tools, bundle_of: Callable[..., Bundle]) -> None:
    """The golden input says the wake word: a program that forgot between calls would not hear it."""
    bundle = bundle_of("okay-nabu", "android")
    assert bundle.manifest.recipe.runtime == "litert"
    file = bundle.path / "network.tflite"
    made = golden.prove(bundle, 1, keep=1000).calls["network"]
    feeds, here = [one for one, _ in made], [answer for _, answer in made]
    answers, _ = emulated.emulate(tools, file, litert.feeds_of(file, feeds), "cortex-a53")
    there = list(litert.outputs_of(file, answers))
    assert emulated.steps(there, here) <= 1
    runner: Any = litert_runner.load(file, 1)
    assert emulated.steps([(runner.reset(), runner(one))[1] for one in feeds], here) > 100, "it makes a difference"
