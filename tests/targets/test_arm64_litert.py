"""litert parts on emulated processors of phones: the same integers, tensors as a caller has them, state, and errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _tflite_models import Case, product
from conftest import absent

import edgekit
from edgekit import golden
from edgekit.core import TensorSpec
from edgekit.errors import DeviceFailed, MissingExtra, ParityFailed
from edgekit.exporters import _litert_runner
from edgekit.parity import sampled
from edgekit.registry import find
from edgekit.targets import _arm64, _arm64_litert
from edgekit.targets._arm64_build import Tools
from edgekit.tflite_tensors import describe

PROVE = find("targets", "android").prove
SHAPE = (1, 6, 5, 4)


@pytest.fixture(scope="session")
def tools() -> Tools:
    try:
        return _arm64_litert.tools()
    except MissingExtra as exc:
        absent(str(exc))
        raise


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A convolution of bytes, whose callers see float32, as a litert bundle; only what `prove` looks at."""
    (tmp_path / "toy.tflite").write_bytes(product(Case(seed=3, height=6, width=5, channels=4), "CONV_2D"))
    specs = [TensorSpec("picture", "float32", SHAPE)], [TensorSpec("said", "float32", (1, 6, 5, 3))]
    (tmp_path / "toy.json").write_text(describe(*specs))
    facts = {
        "recipe": {"exporter": "litert", "precision": "int8"},
        "parts": [{"name": "toy", "file": "toy.tflite", "census": {"layers": {"a": {"form": "static"}}}}],
        "golden": {"reference": "reference.npz"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    np.savez(tmp_path / "reference.npz", **{f"toy/{key}": one for key, one in sampled(calls(tmp_path)).items()})
    return tmp_path


def calls(bundle: Path) -> Sequence[tuple[dict[str, Any], dict[str, Any]]]:
    runner = _litert_runner.load(bundle / "toy.tflite", 1)
    rng = np.random.default_rng(0)
    feeds = [{"picture": rng.uniform(-6, 6, SHAPE).astype(np.float32)} for _ in range(2)]
    return [(one, runner(one)) for one in feeds]


@pytest.mark.thorough
def test_a_part_gives_the_same_integers_on_every_processor(tools: Tools, bundle: Path) -> None:
    found = PROVE(bundle, {"toy": calls(bundle)})
    assert found["runtime"] == f"LiteRT {_arm64_litert.LIBRARY.revision}" and found["fidelity"] == "emulated"
    assert found["parts"]["toy"]["arithmetic"] == "static"
    assert all(found["parts"]["toy"][one]["steps"] <= 1 for one in _arm64.PROCESSORS)
    assert 1e7 < found["memory_at_most"] < 1e8


@pytest.mark.thorough
def test_bytes_that_are_further_away_than_a_step_are_refused(tools: Tools, bundle: Path) -> None:
    made = calls(bundle)
    made[1][1]["said"][0, 0, 0, 0] += 0.02 * np.ptp(made[1][1]["said"])
    with pytest.raises(ParityFailed, match=r"steps away from this machine's answer on cortex-a53; static explains 1 "):
        PROVE(bundle, {"toy": made})


@pytest.mark.thorough
def test_what_is_no_model_is_refused_by_the_runtime(tools: Tools, bundle: Path) -> None:
    made = calls(bundle)
    feeds = _arm64_litert.feeds_of(bundle / "toy.tflite", [one for one, _ in made])
    (bundle / "toy.tflite").write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 64)
    with pytest.raises(DeviceFailed, match=r"toy\.tflite failed on the emulated cortex-a76"):
        _arm64.emulate(tools, bundle / "toy.tflite", feeds, "cortex-a76")


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
        _arm64.emulate(tools, bundle / "toy.tflite", [feeds], "cortex-a53")


def test_other_tensors_than_the_file_has_are_told(bundle: Path) -> None:
    with pytest.raises(DeviceFailed, match="other tensors"):
        _arm64_litert.outputs_of(bundle / "toy.tflite", [{"0": np.zeros((1, 6, 5, 3), np.float32)}])


@pytest.mark.real
def test_a_stream_keeps_its_state_there(tools: Tools, tmp_path: Path) -> None:
    """The golden input says the wake word: a program that forgot between calls would not hear it."""
    bundle = edgekit.export("okay-nabu", "android", exporter="litert", out=tmp_path / "bundle")
    file = bundle.path / "network.tflite"
    made = golden.prove(bundle, 1, keep=1000).calls["network"]
    feeds, here = [one for one, _ in made], [answer for _, answer in made]
    answers, _ = _arm64.emulate(tools, file, _arm64_litert.feeds_of(file, feeds), "cortex-a53")
    there = list(_arm64_litert.outputs_of(file, answers))
    assert _arm64.steps(there, here) <= 1
    runner: Any = _litert_runner.load(file, 1)
    assert _arm64.steps([(runner.reset(), runner(one))[1] for one in feeds], here) > 100, "it makes a difference"
