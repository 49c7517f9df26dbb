"""Bundles of a tiny network, the tools that build and run them, and apps of real bundles."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import _jvm
import _tiny_network as tiny
import pytest

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
