"""Real networks as firmware: exported, proven in the emulator on every core, counted, refused where they do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.cli.command import run
from edgekit.core import Bundle
from edgekit.errors import OverBudget, Unsupported
from edgekit.registry import find, names, serving
from edgekit.reports.summary import summary
from edgekit.targets.microcontroller.emulator.proof import self_test
from edgekit.targets.microcontroller.emulator.toolchain import MACHINES
from edgekit.tasks.resolved import samples_of

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("tools")]

#: Those that come as integers.
FIRMWARE = [
    name
    for name in names("models")
    if (chip := find("models", name).network.variants.get("integers"))
    and chip.network.parts[-1].inputs[0].dtype == "int8"
]
CORES = list(MACHINES)


@pytest.fixture(scope="session")
def made(bundle_of: Callable[..., Bundle]) -> Callable[[str, str], Bundle]:
    return bundle_of


@pytest.mark.parametrize("model", FIRMWARE)
def test_every_model_runs_on_an_m4_and_is_as_large_as_declared(made: Any, model: str) -> None:
    """The first export takes weights from the network; a second is instant and the same."""
    bundle = made(model, "cortex-m4")
    assert edgekit.export(model, "cortex-m4", out=bundle.path, evidence=False).reused
    proof = edgekit.verify(bundle.path)
    assert proof["device"]["vectors"] >= 4
    assert proof["device"]["differing"] == 0
    assert set(proof["parity"].values()) <= {0.0} or proof["parity"]["network"] == 0.0
    report = edgekit.benchmark(bundle.path)
    assert report.fidelity == "emulated"
    found = {item.name: summary(item).median for item in report.measurements}
    declared, recipe = serving(find("models", model), "c"), find("targets", "cortex-m4").recipes["*"]
    whole = "footprint_sound" if "footprint_sound.flash" in found else "footprint"
    assert found[f"{whole}.flash"] <= declared.costs.size(recipe) <= 1.3 * found[f"{whole}.flash"] + 4000
    assert found[f"{whole}.ram"] <= declared.costs.memory(recipe) <= 1.3 * found[f"{whole}.ram"] + 4000
    assert {item["name"] for item in report.estimates} >= {
        f"network on {board}" for board in find("targets", "cortex-m4").boards
    }


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("model", "count"), [("ds-cnn-kws", 50), ("okay-nabu", 50), ("mobilenet-v1-025-vww", 12)])
def test_vectors_on_every_core(made: Any, model: str, count: int, core: str) -> None:
    """Those of a stream are its own; others are random. A picture takes twenty times as long."""
    from edgekit.runtimes.tflite_micro.runner import MicroRunner

    bundle = made(model, core)
    part = next(part for part in serving(find("models", model), "c").network.parts if part.name == "network")
    if model == "okay-nabu":
        assert self_test(bundle.path, MACHINES[core]).vectors == count
        return
    from edgekit.sources.fetching import fetch

    content = (fetch(serving(find("models", model), "c").weights.sources)[0] / "network.tflite").read_bytes()
    specification = MicroRunner(content, part.inputs, part.outputs)
    rng = np.random.default_rng(7)
    name, shape = part.inputs[0].name, tuple(int(size) for size in part.inputs[0].shape)
    inputs = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(count)]
    vectors = [(value, specification({name: value})[part.outputs[0].name]) for value in inputs]
    assert self_test(bundle.path, MACHINES[core], vectors=vectors, timeout=300).vectors == count


def test_keyword_accuracy_on_the_emulated_chip(made: Any, shared_data: Path) -> None:
    """The same scores as the reference int8 on all shared features, which must reach MLPerf's 90 %."""
    from edgekit.runtimes.tflite_micro.runner import MicroRunner

    bundle = made("ds-cnn-kws", "cortex-m4")
    model = serving(find("models", "ds-cnn-kws"), "c")
    part = model.network.parts[1]
    content = (shared_data.parent / "models" / "mlperf-tiny" / "kws_ref_int8.tflite").read_bytes()
    specification = MicroRunner(content, part.inputs, part.outputs)
    samples = samples_of(model, shared_data / "mlperf-tiny-kws")
    right, vectors = 0, []
    for sample in samples:
        value = np.frombuffer(Path(sample.input).read_bytes(), np.int8).reshape(1, 49, 10, 1)
        scores = specification({part.inputs[0].name: value})[part.outputs[0].name]
        right += bundle.manifest.facts["labels"][int(scores.argmax())] == sample.truth
        vectors.append((value, scores))
    assert self_test(bundle.path, MACHINES["cortex-m4"], vectors=vectors, timeout=300).vectors == len(samples)
    assert right / len(samples) >= 0.90
    gate = edgekit.verify(bundle.path, data=shared_data / "mlperf-tiny-kws")["gate"]
    assert gate.verdict == "above the bar"
    assert gate.value == pytest.approx(right / len(samples))


def test_what_does_not_fit_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "mobilenet-v1-025-vww", "--target", "cortex-m4", "--out", str(tmp_path / "b")]
    assert run([*arguments, "--ram", "32KB"]) == 6
    said = capsys.readouterr().err
    assert "32.8 kB" in said or "32,768 B" in said
    with pytest.raises(OverBudget):
        edgekit.export("mobilenet-v1-025-vww", "cortex-m4", ram=56_000 - 16_000, out=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_board_brings_its_budgets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "ds-cnn-kws", "--board", "nrf52840-dk", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["target"] == "cortex-m4"
    assert run(["fit", "ds-cnn-kws", "--board", "nrf52840dk"]) == 2
    assert "nrf52840-dk" in capsys.readouterr().err


def test_speech_recognition_is_refused_kindly(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="keyword spotting"):
        edgekit.export("whisper-base", "cortex-m4", out=tmp_path / "b")
