"""Speeds that `fit` expects: what they rest on, and what they do not claim."""

from __future__ import annotations

import importlib.resources
import json
import math
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.bench.statistics import repeated
from edgekit.cli import command as cli
from edgekit.core import Measurement, Model, Work
from edgekit.estimation import speeds
from edgekit.estimation.lengths import seconds_of
from edgekit.registry import find, names, serving
from edgekit.reports import cells
from edgekit.reports.cells import SCHEMA, Cell, Matrix
from edgekit.runtimes.resolved import recipe_of, runtime_for


def past(model: str, runtime: str, precision: str) -> Cell:
    return next(
        cell
        for cell in speeds.calibration().cells
        if (cell.model, cell.runtime, cell.precision) == (model, runtime, precision)
    )


def test_what_was_measured_in_the_same_format_is_expected_again() -> None:
    answer = edgekit.fit("efficientnet-lite0", "laptop", "fp32")
    report = past("efficientnet-lite0", "onnxruntime", "fp32").report
    assert report is not None
    values = [
        value
        for one in report.measurements
        if one.name == "part.network.latency"
        for value in repeated.pool(one.values)
    ]
    (speed,) = answer.speed
    assert (speed.name, speed.unit, speed.fidelity) == ("latency", "s", "estimated")
    assert speed.value == pytest.approx(repeated.median(values))
    assert speed.low < speed.value < speed.high
    assert "measured on the reference machine" in speed.basis


def test_what_was_not_is_expected_by_the_rate_of_its_kind() -> None:
    (speed,) = edgekit.fit("mobilenet-v2", "laptop", "fp32").speed
    (other,) = edgekit.fit("efficientnet-lite0", "laptop", "fp32").speed
    assert "rates of other models" in speed.basis
    assert speed.value is not None and other.value is not None
    # 300 M multiply-accumulates against 390 M; small networks reach less of the machine.
    assert 0.3 < speed.value / other.value < 3
    assert speed.high / speed.value == pytest.approx(speed.value / speed.low)


def test_a_rate_leaves_out_the_model_that_it_is_for() -> None:
    work = Work("network", "convolution", 10**9)
    mean, factor = speeds.rate(work, "onnxruntime", "fp32", "") or (0.0, 0.0)
    without, _ = speeds.rate(work, "onnxruntime", "fp32", "efficientnet-lite0") or (0.0, 0.0)
    assert mean > 0 and without > 0 and mean != without
    assert factor >= 1.15
    assert speeds.rate(replace(work, kind="astrology"), "onnxruntime", "fp32", "") is None


def test_sound_has_a_real_time_factor() -> None:
    factor, latency = edgekit.fit("whisper-base", "laptop").speed
    assert (factor.name, factor.unit, latency.unit) == ("real-time factor", "1", "s")
    assert factor.value is not None and latency.value is not None
    assert latency.value / factor.value == pytest.approx(11.0)  # the golden clip


@pytest.mark.parametrize("target", ["android", "ios"])
def test_nothing_is_said_of_a_phone_that_nobody_measured(target: str) -> None:
    answer = edgekit.fit("efficientnet-lite0", target)
    assert answer.speed == () and "--measured FILE" in answer.unknown


def phone(factor: float, *which: tuple[str, str, str]) -> Matrix:
    """A report of a phone that takes `factor` times as long as the reference machine."""
    found = []
    for name in which:
        cell = past(*name)
        assert cell.report is not None
        slower = tuple(
            replace(one, values=tuple(tuple(value * factor for value in group) for group in one.values))
            for one in cell.report.measurements
        )
        report = replace(cell.report, fidelity="device", measurements=slower)
        found.append(replace(cell, target="android", device="adb", report=report))
    return Matrix(SCHEMA, {}, tuple(found))


def test_a_report_of_a_phone_is_taken_as_it_is_or_by_its_ratio() -> None:
    matrix = phone(4, ("efficientnet-lite0", "onnxruntime", "fp32"), ("ge2e-speaker", "onnxruntime", "fp32"))
    (own,) = edgekit.fit("efficientnet-lite0", "android", "fp32", measured=matrix).speed
    (here,) = edgekit.fit("efficientnet-lite0", "laptop", "fp32").speed
    assert own.fidelity == "device" and own.value == pytest.approx(4 * (here.value or 0))
    factor = edgekit.fit("ecapa-tdnn", "android", "fp32", measured=matrix).speed[0]
    there = edgekit.fit("ecapa-tdnn", "laptop", "fp32").speed[0]
    assert factor.fidelity == "estimated" and factor.value == pytest.approx(4 * (there.value or 0))
    assert "by 4, the ratio of 3 parts" in factor.basis
    none = edgekit.fit("ecapa-tdnn", "ios", measured=matrix)
    assert none.speed == () and "no measurements for ios" in none.unknown


def test_a_report_is_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "phone.json"
    cells.save(phone(4, ("efficientnet-lite0", "onnxruntime", "int8")), file)
    command = ["fit", "efficientnet-lite0", "--target", "android", "--measured", str(file), "--json"]
    assert cli.run(command) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["speed"][0]["fidelity"] == "device"
    file.write_text("{}")
    assert cli.run(command) == 2


def test_language_models_have_tokens_a_second() -> None:
    generation, prompt = edgekit.fit("smollm2-1-7b", "laptop").speed
    assert (generation.name, prompt.name, generation.unit) == ("generation", "prompt", "tokens/s")
    assert generation.low < (generation.value or 0) < generation.high
    smaller = edgekit.fit("smollm2-135m", "laptop").speed[0]
    assert (smaller.value or 0) > 3 * (generation.value or 0)  # a thirteenth of the bytes a token


def test_firmware_has_a_range_of_milliseconds_from_counted_instructions() -> None:
    (speed,) = edgekit.fit("ds-cnn-kws", "cortex-m4").speed
    (board,) = edgekit.fit("ds-cnn-kws", "cortex-m4", board="nrf52840-dk").speed
    assert speed.value is None and "M instructions" in speed.basis
    assert speed.low <= board.low < board.high <= speed.high
    assert 0.03 < board.low < board.high < 0.12  # 2.8 M instructions at 64 MHz, 1.2 to 2 cycles each


def test_every_model_of_ours_says_what_it_works() -> None:
    for name in names("models"):
        model: Model = find("models", name)
        for exporter in {"tflite": ["litert"], "gguf": ["gguf"]}.get(model.network.ready, ["onnx", "litert", "coreml"]):
            serves = serving(model, exporter)
            recipe = recipe_of(runtime_for(exporter), "q8_0" if exporter == "gguf" else "int8")
            works = serves.costs.work(recipe) if serves.costs.work else ()
            assert {work.part for work in works} == {part.name for part in serves.network.parts}, name
            assert all(work.macs > 0 for work in works) and any(work.calls for work in works), name


def test_the_calibration_file_is_small_raw_and_says_what_machine_it_was() -> None:
    matrix = speeds.calibration()
    file = importlib.resources.files("edgekit.estimation").joinpath("calibration.json")
    assert len(file.read_bytes()) < 400_000
    for cell in matrix.cells:
        assert cell.report is not None
        assert cell.report.fidelity != "host" or cell.report.host["architecture"] == "x86_64"
        assert all(isinstance(one, Measurement) and one.values for one in cell.report.measurements)


def test_lengths_of_sounds(tmp_path: Path) -> None:
    assert seconds_of("data/golden/jfk.flac") == pytest.approx(11.0)
    assert seconds_of("data/golden/espresso.png") == seconds_of("data/nothing.flac") == 0
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(b"\0\0" * 24_000)
    assert seconds_of(str(tmp_path / "a.wav")) == 1.5
    (tmp_path / "b.flac").write_bytes(b"fLaC" + b"\0" * 30)
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    assert seconds_of(str(tmp_path / "b.flac")) == seconds_of(str(tmp_path / "c.wav")) == 0


@pytest.mark.parametrize("name", ["whisper-base", "openwakeword-hey-jarvis", "qwen3-8b", "mobilenet-v1-025-vww"])
def test_the_table_has_a_hundred_columns_at_most(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["fit", name])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert any("laptop" in line for line in lines) and max(map(len, lines)) <= 100


@pytest.mark.parametrize(("text", "bytes_"), [("2GB", 2 << 30), ("1.5g", 3 << 29), ("300MiB", 300 << 20)])
def test_ram_is_the_apps_share_on_every_target(text: str, bytes_: int, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["fit", "whisper-base", "--target", "android", "--ram", text, "--json"])
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["budgets"]["RAM"] == bytes_
    assert answer["verdict"] == ("too large" if bytes_ < answer["ram"] else "fits")
    assert answer["fidelity"] == {"size": "estimated", "RAM": "estimated"}


def test_flash_is_still_a_microcontrollers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fit", "whisper-base", "--target", "android", "--flash", "1MB"]) == 2
    assert "android has no flash" in capsys.readouterr().err


LIGHT = """
import sys
for name in ("torch", "onnx", "onnxruntime", "numpy", "transformers", "safetensors"):
    sys.modules[name] = None
from edgekit.cli import run
from edgekit.registry import names
for model in names("models"):
    assert run(["fit", model, "--json"]) in (0, 6), model
"""


def test_every_model_is_answered_without_torch_onnx_and_numpy(toy: Any) -> None:
    done = type(toy)(toy.weights, *[toy.weights] * 3).python(LIGHT)
    assert done.returncode == 0, done.stderr


def test_means_are_geometric() -> None:
    assert speeds.weighted_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert math.isfinite(speeds.weighted_mean([1e-9, 1e9]))
