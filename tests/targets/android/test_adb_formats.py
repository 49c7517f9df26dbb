"""What is another thing for each format of bundles on a phone that a fake adb plays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.devices.fake_adb import LOADER, FakePhone
from helpers.devices.fake_replay import CALL, read_all

from edgekit.core import Report, Trial
from edgekit.errors import DeviceFailed, EdgekitError, ParityFailed
from edgekit.llama import library
from edgekit.registry import find
from edgekit.reports import report, summary
from edgekit.reports.comparing import reports
from edgekit.targets.android.arm64 import litert
from edgekit.targets.common import calls

pytestmark = pytest.mark.thorough

MEASURE = find("targets", "android").devices["adb"].measure


def medians(found: Mapping[str, Any]) -> dict[str, float]:
    return {item.name: sorted(item.values[0])[len(item.values[0]) // 2] for item in found["measurements"]}


# ------------------------------------------------------------------------------------------------------------- litert


def test_a_litert_bundle_is_measured(phone: FakePhone, litert_trial: Trial) -> None:
    found = MEASURE(litert_trial)
    assert found["fidelity"] == "device"
    assert found["versions"] == {"ai-edge-litert": litert.LIBRARY.revision}
    assert found["host"]["runtime"] == f"{litert.NAME}, Linux build for 64-bit Arm"
    assert "LiteRT's Linux build" in found["warnings"][0]
    values = medians(found)
    assert values["part.toy.latency"] == pytest.approx(CALL / 4)
    assert values["replayed_calls.rtf"] == pytest.approx(2 * CALL / 4 / 2.0)
    assert values["part.toy.away_from_this_machine"] == 0 and values["rss.peak"] == 50_000_000
    files = {LOADER, "replay", "libLiteRt.so", "part0.tflite", "calls"}
    assert set(found["host"]["run"]["pushed_files"]) == files
    assert MEASURE(litert_trial)["host"]["run"]["pushed_files"] == ["calls"]
    assert phone.files() == ["store"]


def test_a_litert_part_is_fed_what_its_file_holds(phone: FakePhone, litert_trial: Trial) -> None:
    MEASURE(litert_trial)
    feeds = litert.feeds_of(litert_trial.bundle / "toy.tflite", [feeds for feeds, _ in litert_trial.calls["toy"]])
    (came,) = read_all(phone.folder / "asked")
    assert [one["picture"][2] for one in came] == [one["picture"].tobytes() for one in feeds]
    assert {one["picture"].dtype for one in feeds} == {np.dtype(np.int8)}


def test_no_name_of_a_bundle_reaches_the_phones_shell(phone: FakePhone, litert_trial: Trial) -> None:
    name = "toy.tflite; touch pwned; x"
    (litert_trial.bundle / name).write_bytes((litert_trial.bundle / "toy.tflite").read_bytes())
    (litert_trial.bundle / name).with_suffix(".json").write_bytes((litert_trial.bundle / "toy.json").read_bytes())
    manifest = litert_trial.bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"toy.tflite"', json.dumps(name)))
    MEASURE(litert_trial)
    assert not any("pwned" in call[-1] for call in phone.calls() if "shell" in call)


def test_a_litert_part_with_other_answers_is_not_measured(phone: FakePhone, litert_trial: Trial) -> None:
    phone.say(runner="wrong")
    with pytest.raises(ParityFailed, match=r"the part 'toy' is .* on the phone"):
        MEASURE(litert_trial)
    assert not any(" timed " in call[-1] for call in phone.calls())
    calls.write(phone.folder / "answers", [{"0": np.zeros((1, 2), np.int8)}] * 2)
    phone.say(runner="")
    with pytest.raises(DeviceFailed, match=r"other tensors than toy\.tflite has"):
        MEASURE(litert_trial)
    assert phone.files() == ["store"]


# --------------------------------------------------------------------------------------------------------------- gguf


def test_a_language_model_is_measured_in_tokens(phone: FakePhone, gguf_trial: Trial) -> None:
    phone.clusters({"0 1 2 3": 1800000, "4 5 6 7": 2400000})
    found = MEASURE(replace(gguf_trial, processes=2))
    assert found["fidelity"] == "device" and found["versions"] == {"llama-cpp-python": library.VERSION}
    assert "llama-bench" in found["host"]["measured"] and "newer extensions" in found["warnings"][0]
    units = {item.name: (item.unit, item.better) for item in found["measurements"]}
    assert units["pp512"] == units["tg128"] == ("tokens/s", "higher") and units["first_token"] == ("s", "lower")
    values = medians(found)
    assert values["pp512"] == pytest.approx(4 / CALL) and values["tg128"] == pytest.approx(1 / CALL)
    assert values["tg128 [4 threads, cores 0-3]"] == pytest.approx(1 / CALL)
    assert values["first_token"] == pytest.approx(30 * CALL / 4), "as many tokens as the golden prompt has"
    assert values["load.cold"] == 2.0 and values["rss.peak"] == 50_000_000
    assert values["part.network.same_next_token"] == 1 and 0 < values["part.network.away_from_this_machine"] < 0.01
    assert not any("latency" in name for name in values)
    (speed,) = (item for item in found["measurements"] if item.name == "tg128")
    assert [len(group) for group in speed.values] == [3, 3]
    started = {call[3].partition(" speeds ")[2] for call in phone.calls() if " speeds " in call[-1]}
    assert {one.split()[1][-2:] for one in started} == {"/."}, "the runtime is all files of the folder"
    assert {" ".join(one.split()[4:10]) for one in started} == {"20 1024 30 512 128 3"}


def test_a_report_in_tokens_is_read_and_compared(phone: FakePhone, gguf_trial: Trial, tmp_path: Path) -> None:
    found = MEASURE(replace(gguf_trial, processes=5))
    made = {"schema": report.SCHEMA, "bundle": {"name": "a writer"}, "inputs": [{"name": "x.txt", "sha256": "00"}]}
    report.save(Report(**made, **found), tmp_path / "phone.json")
    base = report.load(tmp_path / "phone.json")
    shown = dict(summary.rows(base))
    assert shown["tg128"][:2] == ["15", "100 tokens/s"] and "end_to_end.latency" not in shown
    slower = [replace(item, values=tuple(tuple(v / 2 for v in g) for g in item.values)) for item in base.measurements]
    rows = {row.name: row for row in reports.compare_reports(base, replace(base, measurements=tuple(slower)))}
    assert rows["tg128"].verdict == "slower" and rows["tg128"].regressed
    assert rows["first_token"].verdict == "faster" and not rows["first_token"].regressed


def test_a_second_bench_of_a_language_model_copies_its_tokens_only(phone: FakePhone, gguf_trial: Trial) -> None:
    files = {LOADER, "replay", "libllama.so", "part0.gguf", "calls"}
    assert set(MEASURE(gguf_trial)["host"]["run"]["pushed_files"]) == files
    assert MEASURE(gguf_trial)["host"]["run"]["pushed_files"] == ["calls"]
    assert phone.files() == ["store"]


def test_an_emulated_phone_generates_nothing(phone: FakePhone, gguf_trial: Trial) -> None:
    phone.say(properties={"ro.product.cpu.abilist": "arm64-v8a", "ro.kernel.qemu": "1"})
    found = MEASURE(gguf_trial)
    assert found["fidelity"] == "emulated"
    assert {item.unit for item in found["measurements"]} == {"B", "1"}
    (started,) = (call[3] for call in phone.calls() if " speeds " in call[-1])
    assert " 1024 16 0 0 0 " in started and "of what a prompt of 16 tokens takes" in found["warnings"][-1]


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("wrong", ParityFailed, r"the part 'network' is .* on the phone"),
        ("crash", DeviceFailed, "ended by a segmentation fault"),
        ("cut", DeviceFailed, "results of the phone cannot be read"),
        ("cut while pulled", DeviceFailed, "arrived cut off"),
        ("no result", DeviceFailed, "has no results where they should be"),
        ("not a number", DeviceFailed, "a time that no clock shows"),
        ("a value less", DeviceFailed, "are not those of all parts"),
    ],
)
def test_a_language_model_that_fails(
    phone: FakePhone, gguf_trial: Trial, how: str, kind: type[EdgekitError], message: str
) -> None:
    phone.say(runner=how)
    with pytest.raises(kind, match=message):
        MEASURE(gguf_trial)
    assert phone.files() == ["store"]


def test_kernels_may_cost_what_the_type_costs_on_a_phone_too(phone: FakePhone, gguf_trial: Trial) -> None:
    """5 % is what q4_0 costs here: logits that are further away than that are another model's."""
    ((_, answer),) = gguf_trial.calls["network"]
    calls.write(phone.folder / "answers", [{"logits": answer["logits"] * np.float32(1.15)}])
    with pytest.raises(ParityFailed, match="the rounding of activations explains"):
        MEASURE(gguf_trial)
