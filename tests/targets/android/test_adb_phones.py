"""Which phone is measured, and why none can be."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import filelock
import pytest
from helpers.devices.fake_adb import FakePhone

from edgekit.core import Trial
from edgekit.errors import BadInput, DeviceFailed, EdgekitError, MissingExtra, Unsupported
from edgekit.registry import find
from edgekit.targets.android.adb import phone as adb

MEASURE = find("targets", "android").devices["adb"].measure


# ------------------------------------------------------------------------------------------------- no phone to measure


@pytest.mark.parametrize(
    ("rows", "address", "kind", "message", "hint"),
    [
        ([], "", DeviceFailed, "no phone is connected", "USB debugging"),
        (["S unauthorized usb:1"], "", DeviceFailed, "S is unauthorized", "accept its question"),
        (["S offline"], "", DeviceFailed, "S is offline", "reconnect"),
        (["S no permissions (udev); see x"], "", DeviceFailed, "S is no permissions", "udev"),
        (["A device", "B device"], "", BadInput, r"several phones.*A \(device\), B \(device\)", "--device adb:A"),
        (["A device", "B offline"], "B", DeviceFailed, "B is offline", "reconnect"),
        (["A device"], "C", DeviceFailed, r"no phone C is connected; connected: A \(device\)", "USB"),
        (["S\x1b[31m offline"], "", DeviceFailed, r"S\?\[31m is offline", "reconnect"),
    ],
)
def test_no_phone_to_measure(
    phone: FakePhone, trial: Trial, rows: list[str], address: str, kind: type[EdgekitError], message: str, hint: str
) -> None:
    phone.say(devices=rows)
    with pytest.raises(kind, match=message) as caught:
        MEASURE(replace(trial, address=address))
    assert hint in caught.value.hint


def test_an_adb_that_does_not_answer(phone: FakePhone, trial: Trial) -> None:
    phone.say(devices=None)
    with pytest.raises(DeviceFailed, match="adb does not answer: cannot connect to daemon") as caught:
        MEASURE(trial)
    assert "kill-server" in caught.value.hint


def test_two_phones_and_the_right_one(phone: FakePhone, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.say(devices=["A device", "B device"])
    MEASURE(replace(trial, address="B"))
    assert {call[1] for call in phone.calls() if call[0] == "-s"} == {"B"}
    monkeypatch.setenv("ANDROID_SERIAL", "A")
    MEASURE(trial)
    assert phone.calls()[-1][1] == "A"


def test_without_adb(phone: FakePhone, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingExtra, match="needs adb") as caught:
        MEASURE(trial)
    assert "apt install adb" in caught.value.hint


def test_another_abi(phone: FakePhone, trial: Trial) -> None:
    phone.say(properties={"ro.product.cpu.abilist": "x86_64,x86"})
    with pytest.raises(Unsupported, match="runs x86_64, x86; the runner is for arm64-v8a"):
        MEASURE(trial)
    assert not phone.place.exists()


def test_a_format_without_a_runner(phone: FakePhone, trial: Trial) -> None:
    place = trial.bundle / "manifest.json"
    place.write_text(place.read_text().replace('"onnx"', '"executorch"'))
    with pytest.raises(Unsupported, match="no runner of executorch"):
        MEASURE(trial)


def test_two_benches_at_once(phone: FakePhone, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    MEASURE(trial)
    (lock,) = (Path(os.environ["EDGEKIT_CACHE"]) / "phone").glob("*.lock")
    with filelock.FileLock(lock), pytest.raises(DeviceFailed, match="another edgekit is measuring"):
        MEASURE(trial)


def test_little_space(phone: FakePhone, trial: Trial) -> None:
    phone.say(free=10_000)
    with pytest.raises(DeviceFailed, match=r"has 10 MB free .* and this takes 20 MB"):
        MEASURE(trial)
    assert phone.files() == ["store"]


def test_a_phone_that_is_full_in_the_middle(phone: FakePhone, trial: Trial) -> None:
    phone.say(push_fails="remote No space left on device")
    with pytest.raises(DeviceFailed, match="the phone is full"):
        MEASURE(trial)


# ------------------------------------------------------------------------------------------------------------- doctor


def test_doctor_tells_of_adb_and_phones(phone: FakePhone, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.getsockname()[1]))
        assert adb.state() == (True, "adb, Test_7 (device)", "")
        phone.say(devices=["S unauthorized"])
        ready, found, remedy = adb.state()
        assert not ready and found == "adb, S (unauthorized)" and "accept its question" in remedy
    asked = len(phone.calls())
    ready, found, remedy = adb.state()
    assert not ready and found == "adb" and "adb devices" in remedy
    assert len(phone.calls()) == asked, "without a server it starts none"
    monkeypatch.setenv("PATH", "/nowhere")
    assert adb.state() == (False, "", adb.INSTALL)
