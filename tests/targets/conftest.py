"""Bundles of a tiny network, the tools that build and run them, apps of real bundles, a phone that a fake adb plays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import _jvm
import _tiny_network as tiny
import pytest
from _fake_adb import LOADER, FakePhone
from _toy_onnx import calls, toy_bundle

from edgekit.core import Trial
from edgekit.targets import _adb_bench, _adb_guard, _calls
from edgekit.targets._firmware import pack

_PROGRAMS = (
    *("cmake", "arm-none-eabi-gcc", "arm-none-eabi-g++", "qemu-system-arm"),
    *("riscv64-unknown-elf-gcc", "qemu-system-riscv32"),
)


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
    return _jvm.app(tmp_path_factory.mktemp("onnx-app"), "OnnxGraph")


@pytest.fixture(scope="session")
def litert_app(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same over LiteRT."""
    return _jvm.app(tmp_path_factory.mktemp("litert-app"), "LiteRtGraph")


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    """A phone that works, and nobody who sleeps."""
    made = FakePhone(tmp_path / "phone")
    made.clusters({"0 1 2 3 4 5 6 7": 2400000})
    library = made.folder / "libonnxruntime.so"
    library.write_bytes(b"a library")
    tools = {LOADER: made.folder / "loader", "replay": Path(__file__), library.name: library}
    monkeypatch.setattr(_adb_bench, "kit", lambda progress: tools)
    monkeypatch.setattr(_adb_guard, "sleep", lambda seconds: None)
    monkeypatch.setattr(_adb_guard, "_PATIENCE", 45.0)
    monkeypatch.setenv("PATH", f"{made.path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    return made


@pytest.fixture
def trial(tmp_path: Path, phone: FakePhone) -> Trial:
    """What a bench of the toy asks for; the phone knows the answers."""
    (tmp_path / "bundle").mkdir()
    bundle = toy_bundle(tmp_path / "bundle")
    made = calls(bundle, (1, 3, 4))
    answers = [outputs for _, outputs in made["toy"]]
    _calls.write(phone.folder / "answers", answers)
    _calls.write(phone.folder / "wrong", [{name: 3 * value for name, value in one.items()} for one in answers])
    quiet = lambda what, done, total: None  # noqa: E731
    return Trial(bundle, "", made, {"audio_seconds": 2.0}, (4,), 1, 1, None, 1.0, 20.0, quiet)
