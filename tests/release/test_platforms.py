"""What each extra needs on each system: markers leave out what has no wheel there, and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import edgekit

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SYSTEMS = {
    "Linux x86-64": {
        "platform_system": "Linux",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    },
    "Linux Arm": {
        "platform_system": "Linux",
        "sys_platform": "linux",
        "platform_machine": "aarch64",
        "os_name": "posix",
    },
    "macOS Arm": {
        "platform_system": "Darwin",
        "sys_platform": "darwin",
        "platform_machine": "arm64",
        "os_name": "posix",
    },
    "macOS x86-64": {
        "platform_system": "Darwin",
        "sys_platform": "darwin",
        "platform_machine": "x86_64",
        "os_name": "posix",
    },
    "Windows": {"platform_system": "Windows", "sys_platform": "win32", "platform_machine": "AMD64", "os_name": "nt"},
}
#: What has no wheel somewhere -> the systems that have.
ONLY = {
    "ai-edge-litert": {"Linux x86-64", "Linux Arm", "macOS Arm"},
    "tflite-micro": {"Linux x86-64"},
    "ai-edge-quantizer": {"Linux x86-64"},
    "litert-torch": {"Linux x86-64"},
    "coremltools": {"Linux x86-64", "macOS Arm", "macOS x86-64"},
    "coreai-core": {"Linux x86-64", "macOS Arm", "macOS x86-64"},
    "onnxruntime-qnn": {"Linux x86-64"},
    "executorch": {"Linux x86-64", "Linux Arm", "macOS Arm"},
    "pycocotools": {"Linux x86-64", "Linux Arm"},
}


def needed(extra: str, system: str) -> set[str]:
    """Names of the distributions that an extra brings on a system, those of the extras that it stands on too."""
    names: set[str] = set()
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate(SYSTEMS[system]):
            continue
        if requirement.name == PROJECT["name"]:
            for inner in requirement.extras:
                names |= needed(inner, system)
        else:
            names.add(requirement.name)
    return names


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_only_what_has_no_wheel_is_left_out(extra: str, system: str) -> None:
    everywhere = set().union(*(needed(extra, name) for name in SYSTEMS))
    left_out = {name for name, systems in ONLY.items() if name in everywhere and system not in systems}
    assert everywhere - needed(extra, system) == left_out


def test_the_base_is_the_same_everywhere() -> None:
    assert not [text for text in PROJECT["dependencies"] if Requirement(text).marker is not None]


def test_the_version_is_the_same_everywhere() -> None:
    version = edgekit.__version__
    heading = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    assert heading is not None and heading[1] == version
    assert f"version: {version}" in citation and f"date-released: {heading[2]}" in citation
