"""Bundles in a real browser: the same answers, times of replayed calls, and clear words for all that is missing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import absent

import edgekit
from edgekit.bundles import golden
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Trial
from edgekit.errors import DeviceFailed, MissingExtra, ParityFailed, Unsupported
from edgekit.registry import find
from edgekit.targets.web.chromium import bench, browser
from edgekit.targets.web.npm_files import ONNXRUNTIME_WEB

DEVICE = find("targets", "web").devices["chromium"]


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser, with all that a page needs."""
    ready, name, remedy = DEVICE.state()
    if not ready or shutil.which("npm") is None:
        absent(f"there is no browser, or no npm; get them with: make browser-tools ({remedy})")
    return name


def exported(model: str, out: Path, **options: Any) -> Path:
    return edgekit.export(model, "web", out=out, evidence=False, fallback=False, **options).path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported("ds-cnn-kws", tmp_path_factory.mktemp("web") / "bundle", runtime="onnxruntime-web")


@pytest.mark.real
def test_a_browser_answers_as_this_machine_does_and_is_measured(chromium: str, bundle: Path) -> None:
    report = edgekit.benchmark(bundle, device="chromium", threads=(1, 2), processes=1, warmups=1, loops=3)
    values = {item.name: item.values[0][0] for item in report.measurements}
    assert report.fidelity == "device" and report.host["browser"].startswith("Chromium ")
    assert report.versions["onnxruntime-web"] == ONNXRUNTIME_WEB.version
    assert values["part.network.away_from_this_machine"] < 1e-4 and values["part.network.away_from_fp32"] < 0.1
    assert 0 < values["part.network.latency"] < values["replayed_calls.latency"] < 10
    assert values["part.network.latency [2 threads]"] > 0 and 0 < values["load.import"] < values["load.cold"]
    assert report.host["visit"] > 14e6 and values.get("rss.peak", 1e8) > 2e7
    assert any("WebGPU: not measured" in warning for warning in report.warnings)


@pytest.mark.real
def test_verify_asks_the_browser(chromium: str, bundle: Path) -> None:
    device = edgekit.verify(bundle)["device"]
    assert device["device"].startswith("Chromium ") and device["fidelity"] == "device"
    assert device["parts"]["network"]["browser"]["here"] < 1e-4


@pytest.mark.real
def test_another_answer_is_refused(chromium: str, bundle: Path, tmp_path: Path) -> None:
    """What this machine is said to have answered is another thing: neither parity nor a number."""
    calls = golden.prove(open_bundle(bundle), 1).calls
    wrong = {
        name: [(feeds, {key: -value for key, value in made.items()}) for feeds, made in one]
        for name, one in calls.items()
    }
    with pytest.raises(ParityFailed, match="on the browser"):
        bench.prove(bundle, wrong)


@pytest.mark.real
def test_products_have_the_forms_that_are_fast_in_webassembly(tmp_path: Path) -> None:
    bundle = open_bundle(exported("all-minilm-l6-v2", tmp_path / "bundle", runtime="onnxruntime-web"))
    census = bundle.manifest.parts[0].census
    assert "MatMulNBits" not in census["operators"] and census["weighted_int8"] > 10
    forms = {name: layer["form"] for name, layer in census["layers"].items() if name != "words"}
    assert set(forms.values()) <= {"dynamic", "rows", "int16", "float"}  # the table is looked up
    assert sum(file.size for file in bundle.manifest.files.values()) < 30e6


def trial(bundle: Path, **changes: Any) -> Trial:
    return replace(Trial(bundle, "", {}, {}, (1,), 1, 0, 1, 0.1, 60.0, lambda what, done, total: None), **changes)


def test_what_a_browser_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"recipe": {"exporter": "coreml"}, "parts": []}))
    with pytest.raises(Unsupported, match="no coreml files"):
        bench.measure(trial(tmp_path))


def test_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    ready, name, remedy = DEVICE.state()
    assert not ready and not name and "chromium" in remedy
    with pytest.raises(MissingExtra, match="no browser"):
        browser.program()
    with pytest.raises(DeviceFailed, match="no browser at '/nowhere'"):
        browser.program("/nowhere")


def test_a_browser_that_does_not_start(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(DeviceFailed, match="did not start"), browser.launch(str(program)):
        pass


def test_a_page_that_never_ends(chromium: str) -> None:
    from playwright.sync_api import Error

    with pytest.raises(Error), browser.launch(limit=3) as one:
        one.new_page().evaluate("() => { for (;;); }")
