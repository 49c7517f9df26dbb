"""The whole way to a phone and back: adb, its daemon on an emulated 64-bit Arm, the native program, real weights.

No time is measured here, nor reported: an emulator has none. So a bench calls a part as few times as it can.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from helpers.cases.gguf_files import llama_file
from helpers.devices.packaging import loopback_command
from helpers.toys import tiny_language, toy_model

import edgekit
from edgekit.core import Bundle
from edgekit.errors import MissingExtra
from edgekit.llama import library
from edgekit.targets.android.arm64 import gguf

HERE = Path(__file__).parents[2]

#: Runs beside the phone: three benches, the second killed in the middle, and a look at the phone between them.
SESSION = """
import json, os, signal, subprocess, sys, time

bundle, out = sys.argv[1:3]
ROOT = "/data/local/tmp/edgekit"
shell = lambda line: subprocess.run(["adb", "shell", line], capture_output=True, text=True).stdout.split()
start = lambda: subprocess.Popen(
    [sys.executable, "-c", "from edgekit.cli.command import main; main()", "bench", bundle, "--device", "adb",
    "--json", "--processes", "1", "--loops", "1", "--warmups", "1"],
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
)
told = {}

def bench(name):
    process = start()
    text, errors = process.communicate(timeout=600)
    told[name] = {"code": process.returncode, "report": json.loads(text), "errors": errors, "left": shell(f"ls {ROOT}")}

bench("first")
killed = start()
while killed.poll() is None and not shell(f"cat {ROOT}/run-*/pid"):
    time.sleep(0.05)
killed.send_signal(signal.SIGKILL)
killed.communicate()
told["after the kill"] = shell(f"ls {ROOT}")
bench("next")
told["processes"] = shell("cat /proc/[0-9]*/cmdline | tr '\\\\0' ' ' | grep -oE 'replay (some|timed|speeds)'")
json.dump(told, open(out, "w"))
"""


@pytest.fixture(scope="module")
def loopback() -> list[str]:
    return loopback_command()


#: Model, exporter, precision. The second one is a stream, whose parts keep their state from call to call: of its 62
#: calls, 8 answers are compared. The third is a language model of two layers with random weights.
CASES = [("ds-cnn-kws", "onnx", "int8"), ("okay-nabu", "litert", "int8"), ("tiny-writer", "gguf", "q8_0")]


@pytest.fixture(scope="module", params=CASES, ids=lambda one: one[1])
def told(
    request: pytest.FixtureRequest,
    loopback: list[str],
    bundle_of: Callable[..., Bundle],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    work = tmp_path_factory.mktemp("adb")
    model, exporter, precision = request.param
    site, own = toy_model.install(work / "site", tiny_language.ENTRY_POINTS), {}
    if exporter == "gguf":
        language_tools()
        own = {"weights": str(llama_file(work / "tiny.gguf")), "precision": precision, "fallback": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(HERE), os.environ.get("PYTHONPATH", "")]))
        bundle = bundle_of(model, "android", **own)
        assert (bundle.manifest.recipe.exporter, bundle.manifest.recipe.precision) == (exporter, precision)
        done = subprocess.run(
            [*loopback, sys.executable, "-c", SESSION, str(bundle.path), str(work / "told.json")],
            capture_output=True,
            text=True,
            timeout=900,
        )
    assert done.returncode == 0, done.stderr
    return json.loads((work / "told.json").read_text())


def language_tools() -> None:
    """Skip, or fail in CI, where llama.cpp is absent, here or for Arm."""
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    try:
        gguf.kit()
    except MissingExtra as exc:
        absent(str(exc))


@pytest.mark.real
def test_the_phone_gives_the_same_answers_and_no_times(told: Any) -> None:
    report = told["first"]["report"]
    assert told["first"]["code"] == 0
    assert report["fidelity"] == "emulated"
    assert all(item["unit"] in ("B", "1") for item in report["measurements"])
    values = {item["name"]: item["values"][0][0] for item in report["measurements"]}
    assert values.get("part.frontend.away_from_this_machine", 0) < 1e-5
    assert values["part.network.away_from_this_machine"] < 0.05 and values["part.network.away_from_fp32"] < 0.25
    assert values.get("part.network.same_next_token", 1) > 0.9
    assert 1e7 < values["rss.peak"] < 1e9
    assert any("emulated: times are left out" in warning for warning in report["warnings"])
    assert report["host"]["architecture"] == "aarch64" and "127.0.0.1" not in json.dumps(report)


@pytest.mark.real
def test_a_second_bench_pushes_nothing_but_inputs(told: Any) -> None:
    assert {"libonnxruntime.so", "libLiteRt.so", "libllama.so"} & set(
        told["first"]["report"]["host"]["run"]["pushed_files"]
    )
    assert told["next"]["code"] == 0
    assert told["next"]["report"]["host"]["run"]["pushed_files"] == ["calls"]


@pytest.mark.real
def test_what_a_killed_bench_left_is_gone_after_the_next(told: Any) -> None:
    assert told["first"]["left"] == ["store"]
    assert any(name.startswith("run-") for name in told["after the kill"])
    assert told["next"]["left"] == ["store"] and told["processes"] == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_real_language_model_goes_on_with_the_same_tokens(loopback: list[str], tmp_path: Path) -> None:
    language_tools()
    bundle = edgekit.export(
        "smollm2-135m", "android", precision="q4_k_m", out=tmp_path / "bundle", fallback=False, evidence=False
    )
    bench = "from edgekit.cli.command import main; main()"
    arguments = ["bench", str(bundle.path), "--device", "adb", "--limit", "1800", "--json"]
    done = subprocess.run([*loopback, sys.executable, "-c", bench, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    values = {item["name"]: item["values"][0][0] for item in report["measurements"]}
    assert report["fidelity"] == "emulated" and all(item["unit"] in ("B", "1") for item in report["measurements"])
    assert values["part.network.away_from_this_machine"] < 0.1 and values["part.network.same_next_token"] > 0.85
    assert values["rss.peak"] > bundle.manifest.files["network.gguf"].size
