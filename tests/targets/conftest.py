"""Bundles of a tiny network, the tools that build and run them, apps of real bundles, a phone that a fake adb plays."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from helpers.devices import jvm, node, swift
from helpers.devices.fake_adb import LOADER, FakePhone
from helpers.devices.jvm import LANGUAGES, started
from helpers.devices.task_loops import Start
from helpers.hub.sources import source_of
from helpers.toys import tiny_network as tiny
from helpers.toys import toy_litert
from helpers.toys.toy_onnx import calls, toy_bundle

from edgekit.core import Calls, Trial
from edgekit.numerics.parity import sample_outputs
from edgekit.targets.android.adb import heat
from edgekit.targets.android.arm64 import gguf, litert, onnx
from edgekit.targets.android.arm64.kit import Kit
from edgekit.targets.common import calls as calls_module
from edgekit.targets.microcontroller.firmware import pack

_PROGRAMS = (
    *("cmake", "arm-none-eabi-gcc", "arm-none-eabi-g++", "qemu-system-arm"),
    *("riscv64-unknown-elf-gcc", "qemu-system-riscv32"),
)
#: What of each runtime is copied to a phone.
_LIBRARIES = {onnx: "libonnxruntime.so", litert: "libLiteRt.so", gguf: "libllama.so"}


@pytest.fixture(scope="session")
def tools() -> None:
    """The compilers and emulators. Without them a test is skipped; in CI (environment variable CI) it fails."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} not found, and CI is set: make firmware-tools")
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; install with: make firmware-tools")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A firmware bundle for the Cortex-M4 with five golden vectors."""
    folder = tmp_path / "tiny"
    tiny.write_sources(folder)
    tiny.save_vectors(folder, tiny.vectors())
    pack(folder, "cortex-m4")
    return folder


@pytest.fixture
def sound_bundle(bundle: Path) -> Path:
    """The same with a frontend, a detector and golden sound."""
    tiny.write_sound_sources(bundle)
    samples = tiny.sound()
    tiny.save_sound(bundle, samples, tiny.features(samples))
    pack(bundle, "cortex-m4")
    return bundle


@pytest.fixture(scope="session")
def onnx_app(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Kotlin of Gradle modules over ONNX Runtime, compiled; a class path."""
    return jvm.app(tmp_path_factory.mktemp("onnx-app"), "OnnxGraph")


@pytest.fixture(scope="session")
def litert_app(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same over LiteRT."""
    return jvm.app(tmp_path_factory.mktemp("litert-app"), "LiteRtGraph")


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    """A phone that works, and nobody who sleeps."""
    made = FakePhone(tmp_path / "phone")
    made.clusters({"0 1 2 3 4 5 6 7": 2400000})
    for runtime, name in _LIBRARIES.items():
        library = made.folder / name
        library.write_bytes(f"the library {name}".encode())
        files = {LOADER: made.folder / "loader", "replay": Path(__file__), name: library}
        kit = Kit(files, "." if runtime is gguf else name)
        monkeypatch.setattr(runtime, "kit", lambda progress, kit=kit: kit)
    monkeypatch.setattr(heat, "sleep", lambda seconds: None)
    monkeypatch.setattr(heat, "_PATIENCE", 45.0)
    monkeypatch.setenv("PATH", f"{made.path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    return made


@pytest.fixture
def trial(tmp_path: Path, phone: FakePhone) -> Trial:
    """What a bench of an onnx toy asks for; the phone knows the answers."""
    (tmp_path / "bundle").mkdir()
    bundle = toy_bundle(tmp_path / "bundle")
    made = calls(bundle, (1, 3, 4))
    _answer(phone, [outputs for _, outputs in made["toy"]])
    return _trial(bundle, made)


@pytest.fixture
def litert_trial(tmp_path: Path, phone: FakePhone) -> Trial:
    """The same of a litert toy, whose file has bytes where its callers have floats."""
    (tmp_path / "litert").mkdir()
    bundle = toy_litert.toy_bundle(tmp_path / "litert")
    made = toy_litert.calls(bundle)
    _answer(phone, [{"0": toy_litert.held(bundle, outputs["said"])} for _, outputs in made["toy"]])
    return _trial(bundle, made)


@pytest.fixture
def gguf_trial(tmp_path: Path, phone: FakePhone) -> Trial:
    """The same of a language model, which nobody loads: its logits are made up, and the reference near them."""
    (tmp_path / "gguf").mkdir()
    bundle = tmp_path / "gguf"
    facts = {
        "recipe": {"exporter": "gguf", "precision": "q4_0"},
        "parts": [{"name": "network", "file": "network.gguf"}],
        "golden": {"reference": "reference.npz"},
        "facts": {"context": 1024, "trained": 2048},
    }
    (bundle / "manifest.json").write_text(json.dumps(facts))
    (bundle / "network.gguf").write_bytes(b"GGUF")
    feeds = {"tokens": np.arange(6, dtype=np.int32)}
    logits = np.random.default_rng(0).standard_normal((6, 20)).astype(np.float32)
    reference = sample_outputs([(feeds, {"logits": logits * np.float32(1.05)})])
    np.savez(bundle / "reference.npz", **{f"network/{key}": one for key, one in reference.items()})
    _answer(phone, [{"logits": logits + np.float32(0.001)}])
    made = {"network": [(feeds, {"logits": logits})]}
    return replace(_trial(bundle, made), units={"tokens": 8.0, "prompt_tokens": 30.0})


def _answer(phone: FakePhone, answers: list[dict[str, Any]]) -> None:
    calls_module.write(phone.folder / "answers", answers)
    calls_module.write(phone.folder / "wrong", [{name: 3 * value for name, value in one.items()} for one in answers])


def _trial(bundle: Path, made: Calls) -> Trial:
    quiet = lambda what, done, total: None  # noqa: E731
    return Trial(bundle, "", made, {"audio_seconds": 2.0}, (4,), 1, 1, None, 1.0, 20.0, quiet)


@pytest.fixture(scope="session")
def loops_in(made_once: Path) -> Callable[[str], str]:
    """The loops of a language (java, swift, javascript), compiled once a run: a class path, or a program."""

    def loops(language: str) -> str:
        out = made_once / f"loops-{language}"
        told = out.with_suffix(".txt")
        with FileLock(f"{out}.lock"):
            if not told.exists():
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                told.write_text({"java": jvm.loops, "swift": swift.loops, "javascript": node.loops}[language](out))
        return told.read_text()

    return loops


@pytest.fixture(scope="session")
def imported(made_once: Path) -> Callable[[str], str]:
    """Name of a source of `helpers.hub.sources` -> what `export` takes for it."""

    def give(name: str) -> str:
        with FileLock(made_once / "imported.lock"):
            (made_once / "imported").mkdir(exist_ok=True)
            return source_of(name, made_once / "imported")

    return give


@pytest.fixture(scope="module", params=LANGUAGES)
def start(request: pytest.FixtureRequest, loops_in: Callable[[str], str]) -> Start:
    """The loops in each language."""
    return partial(started, request.param, loops_in(request.param))
