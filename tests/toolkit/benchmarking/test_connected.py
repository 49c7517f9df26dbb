"""Devices that people connect: which one is meant, what it is given, what becomes of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Device, Measurement, Trial

TRIALS: list[Trial] = []


def measure(trial: Trial) -> Mapping[str, Any]:
    """A device that is as fast as light."""
    TRIALS.append(trial)
    return {
        "fidelity": "device",
        "host": {"cpu": "a port", "release": "1"},
        "versions": {"port": "2"},
        "threads": 3,
        "measurements": (Measurement("replayed_calls.latency", "s", ((0.1,),)),),
        "warnings": ("it is warm",),
    }


@pytest.fixture
def port(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy's board can be connected as ``port``."""
    TRIALS.clear()
    device = Device(measure, lambda: (True, "a port", ""))
    target = replace(toy_model.TARGET, devices={"port": device})
    monkeypatch.setattr(toy_model, "TARGET", target)


@pytest.mark.usefixtures("port")
def test_a_connected_device_is_given_all_calls(bundle: Path) -> None:
    report = edgekit.benchmark(bundle, device="port:/dev/x:7", threads=[3, 1], processes=2, seconds=0.5)
    (trial,) = TRIALS
    assert (trial.address, trial.threads, trial.processes, trial.seconds) == ("/dev/x:7", (3, 1), 2, 0.5)
    assert set(trial.calls) == {part.name for part in open_bundle(bundle).manifest.parts}
    assert all(calls for calls in trial.calls.values())
    assert report.fidelity == "device" and report.threads == 3 and report.warnings == ("it is warm",)
    assert report.versions["port"] == "2" and "edgekit" in report.versions
    assert report.measurements[0].name == "replayed_calls.latency"


@pytest.mark.usefixtures("port")
def test_without_a_device_nothing_changes(do_json: Any, bundle: Path) -> None:
    code, report = do_json("bench", bundle, "--device=host", "--processes=1", "--loops=1")
    assert code == 0 and report["fidelity"] == "host" and not TRIALS


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize("option", ["--input=BUNDLE/manifest.json", "--synthetic", "--contexts=8"])
def test_options_of_this_machine_are_refused(do_json: Any, bundle: Path, option: str) -> None:
    code, found = do_json("bench", bundle, "--device=port", option.replace("BUNDLE", str(bundle)))
    assert code == 2 and option.partition("=")[0] in found["message"] and not TRIALS


@pytest.mark.usefixtures("port")
def test_a_shell_sees_the_device(do: Any, do_json: Any, bundle: Path) -> None:
    code, out, _ = do("bench", bundle, "--device=port", "--threads=3,1")
    assert code == 0 and "replayed_calls.latency" in out and "it is warm" in out
    assert "end_to_end.latency" in out and "not measured" in out
    found = {entry["what"]: entry for entry in do_json("doctor")[1]["abilities"]}
    assert found["measure on a connected device (port)"]["ok"]


def test_a_device_for_bundles_of_others(do_json: Any, bundle: Path) -> None:
    code, found = do_json("bench", bundle, "--device=adb")
    assert code == 2 and found["error"] == "Unsupported"
    assert "this bundle is for toy-board; the device 'adb' runs those for android" in found["message"]


def test_several_threads_are_for_connected_devices(do_json: Any, bundle: Path) -> None:
    code, found = do_json("bench", bundle, "--threads=1,2")
    assert code == 2 and "connected devices" in found["message"]
