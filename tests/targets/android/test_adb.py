"""A bundle on a phone that a fake adb plays: what is measured, what is left behind, and all that can go wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from helpers.devices.fake_adb import LOADER, FakePhone
from helpers.devices.fake_replay import CALL

from edgekit.core import Trial
from edgekit.errors import DeviceFailed, EdgekitError, ParityFailed
from edgekit.registry import find
from edgekit.targets.android.adb import replay

pytestmark = pytest.mark.thorough

MEASURE = find("targets", "android").devices["adb"].measure


def medians(found: Mapping[str, Any]) -> dict[str, float]:
    return {item.name: sorted(item.values[0])[len(item.values[0]) // 2] for item in found["measurements"]}


# ------------------------------------------------------------------------------------------------ what is measured


def test_a_phone_is_measured(phone: FakePhone, trial: Trial) -> None:
    found = MEASURE(replace(trial, processes=2))
    assert found["fidelity"] == "device" and found["threads"] == 4
    assert found["host"]["cpu"] == "Acme Test 7, Acme A1" and found["host"]["release"] == "Android 14"
    assert found["host"]["cores"] == 8 and found["host"]["architecture"] == "aarch64"
    assert "SERIAL1" not in json.dumps(found["host"])
    assert found["versions"] == {"onnxruntime": "1.2.3"}
    values = medians(found)
    assert values["part.toy.latency"] == pytest.approx(CALL / 4)
    assert values["replayed_calls.latency"] == pytest.approx(3 * CALL / 4)
    assert values["replayed_calls.rtf"] == pytest.approx(3 * CALL / 4 / 2.0)
    assert (values["load.cold"], values["load.import"], values["load.bundle"]) == (2.0, 0.5, 1.5)
    assert values["rss.peak"] == 50_000_000
    assert values["part.toy.away_from_fp32"] < 1e-6
    whole = next(item for item in found["measurements"] if item.name == "replayed_calls.latency")
    assert [len(group) for group in whole.values] == [5, 5] and [len(group) for group in whole.warmups] == [1, 1]


def test_threads_and_clusters_have_rows_of_their_own(phone: FakePhone, trial: Trial) -> None:
    phone.clusters({"0 1 2 3": 1800000, "7": 2850000, "4 5 6": 2400000})
    values = medians(MEASURE(replace(trial, threads=(), processes=2)))
    assert values["part.toy.latency [1 thread, any core]"] == pytest.approx(CALL)
    marks = {name.partition(" [")[2] for name in values}
    clusters = {"4 threads, cores 0-3]", "3 threads, cores 4-6]", "1 thread, core 7]"}
    assert marks == {"", "2 threads, any core]", "1 thread, any core]", *clusters}
    started = [call[3].split(" timed ")[1].split()[2:4] for call in phone.calls() if " timed " in call[-1]]
    assert ["3", "4,5,6"] in started and ["4", "-"] in started
    assert started[: len(started) // 2] == started[: len(started) // 2 - 1 : -1], "forth, then back"


def test_the_user_chooses_threads(phone: FakePhone, trial: Trial) -> None:
    found = MEASURE(replace(trial, threads=(2, 8)))
    assert found["threads"] == 2
    assert found["host"]["run"]["settings"] == ["2 threads, any core", "8 threads, any core"]


def test_a_second_bench_copies_the_inputs_only(phone: FakePhone, trial: Trial) -> None:
    first, second = MEASURE(trial), MEASURE(trial)
    assert {LOADER, "replay", "libonnxruntime.so", "part0.onnx", "calls"} == set(first["host"]["run"]["pushed_files"])
    assert second["host"]["run"]["pushed_files"] == ["calls"]
    assert phone.files() == ["store"]
    part = trial.bundle / "toy.onnx"
    part.write_bytes(part.read_bytes() + b"\x12\x00")  # another file, the same model
    assert MEASURE(trial)["host"]["run"]["pushed_files"] == ["calls", "part0.onnx"]


@pytest.mark.parametrize(
    "properties", [{"ro.kernel.qemu": "1"}, {"ro.edgekit.emulated": "1"}, {"ro.hardware": "ranchu"}]
)
def test_an_emulated_phone_tells_no_times(phone: FakePhone, trial: Trial, properties: dict[str, str]) -> None:
    phone.say(properties={"ro.product.cpu.abilist": "arm64-v8a", **properties})
    found = MEASURE(trial)
    assert found["fidelity"] == "emulated"
    assert {item.unit for item in found["measurements"]} == {"B", "1"}
    assert not any("rtf" in item.name for item in found["measurements"])
    assert "times are left out" in found["warnings"][-1]


# ------------------------------------------------------------------------------------------------- what is left behind


def test_what_a_killed_run_left_is_cleared_away(phone: FakePhone, trial: Trial) -> None:
    (phone.place / "run-dead").mkdir(parents=True)
    (phone.place / "run-dead" / "pid").write_text(f"{os.getpid()}\n")  # a number that was used again since: not ours
    (phone.place / "store").mkdir()
    (phone.place / "store" / "abc.part").write_bytes(b"half")
    (phone.place / "store" / ("0" * 64)).write_bytes(b"not what its name says")
    MEASURE(trial)
    assert phone.files() == ["store"] and not (phone.place / "store" / ("0" * 64)).exists()


@pytest.mark.parametrize("after", [1, 4, 8, 13])
def test_a_cable_that_is_pulled(phone: FakePhone, trial: Trial, after: int) -> None:
    phone.say(unplug_after=after)
    with pytest.raises(DeviceFailed, match=r"connection to the phone was lost while .* not found") as caught:
        MEASURE(trial)
    assert "run the same command again" in caught.value.hint
    phone.say(unplug_after=None)
    MEASURE(trial)
    assert phone.files() == ["store"]


def test_space_is_made_for_what_is_needed(phone: FakePhone, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    MEASURE(trial)
    (trial.bundle / "toy.onnx").write_bytes((trial.bundle / "toy.onnx").read_bytes() + b"\x12\x00")
    monkeypatch.setattr("edgekit.targets.android.adb.store._MOST", 1)
    MEASURE(trial)
    assert len(list((phone.place / "store").iterdir())) == 4, "the old part is gone, the rest is not"


# -------------------------------------------------------------------------------------------------- runners that fail


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("crash", DeviceFailed, "ended by a segmentation fault"),
        ("complain", DeviceFailed, r"failed on the phone: Load model from part0.onnx failed:\?\[31m bad magic"),
        ("wrong", ParityFailed, "the part 'toy' is 200.00% away from the fp32 reference on the phone"),
        ("cut", DeviceFailed, "results of the phone cannot be read"),
        ("cut while pulled", DeviceFailed, "arrived cut off"),
        ("no result", DeviceFailed, "has no results where they should be"),
        ("not a number", DeviceFailed, "a time that no clock shows"),
        ("another number of parts", DeviceFailed, "another number of parts"),
    ],
)
def test_a_runner_that_fails(phone: FakePhone, trial: Trial, how: str, kind: type[EdgekitError], message: str) -> None:
    phone.say(runner=how)
    with pytest.raises(kind, match=message):
        MEASURE(trial)
    assert phone.files() == ["store"]


def test_a_runner_that_hangs(phone: FakePhone, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_GRACE", 1.0)
    phone.say(runner="hang")
    with pytest.raises(DeviceFailed, match="did not answer within"):
        MEASURE(replace(trial, limit=1.0))
    assert phone.files() == ["store"]


# --------------------------------------------------------------------------------------------------------------- heat


def told(status: int, **more: object) -> str:
    facts = {"level": 90, "temperature": 300, "USB powered": "true", **more}
    return f"Thermal Status: {status}\n" + "\n".join(f"  {name}: {value}" for name, value in facts.items())


def test_a_hot_phone_is_waited_for(phone: FakePhone, trial: Trial) -> None:
    phone.say(heat=[told(2), told(1), told(0)])
    found = MEASURE(trial)
    assert found["host"]["run"]["waited"] == 30.0
    assert not any("heat" in warning for warning in found["warnings"])


def test_a_phone_that_stays_too_hot_is_not_measured(phone: FakePhone, trial: Trial) -> None:
    phone.say(heat=[told(4)])
    with pytest.raises(DeviceFailed, match=r"too hot to be measured \(thermal status 4, battery 30 degrees\)"):
        MEASURE(trial)
    assert phone.files() == ["store"]


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (lambda phone: phone.say(heat=[told(1)]), r"throttled itself for heat .*status 1"),
        (lambda phone: phone.say(heat=[told(0, level=9, **{"USB powered": "false"})]), "battery was down to 9 %"),
        (lambda phone: next(phone.root.rglob("policy0/scaling_max_freq")).write_text("1200000"), "limited to 50%"),
    ],
)
def test_what_makes_figures_doubtful_is_told(
    phone: FakePhone, trial: Trial, change: Callable[[FakePhone], object], warning: str
) -> None:
    assert len(MEASURE(trial)["warnings"]) == 1
    change(phone)
    found = MEASURE(trial)["warnings"]
    assert len(found) == 2 and re.search(warning, found[1])
