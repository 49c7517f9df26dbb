"""The built wheel, installed by name into empty environments: each extra brings what it says, and no more.

What is installed for real is small; of the large extras (gigabytes of torch) pip is asked what it would install.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS: Mapping[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
#: Extra -> a module that it brings.
INSTALLED = {"run": "onnxruntime", "pool": "distributed", "pytest": "pytest_benchmark"}
#: Extra -> a distribution that it brings on this machine. `dev` is for a checkout.
RESOLVED = {
    "export": "torch",
    "hub": "transformers",
    "micro": "tflite-micro",
    "litert": "litert-torch",
    "openvino": "openvino",
    "coreml": "coremltools",
    "coreai": "coreai-core",
    "ethos-u": "ethos-u-vela",
    "qnn": "onnxruntime-qnn",
    "executorch": "executorch",
    "slm": "llama-cpp-python",
    "web": "playwright",
    "all": "openvino",
}


def test_every_extra_is_tried() -> None:
    assert EXTRAS.keys() == {*INSTALLED, *RESOLVED, "dev"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sources as they are, in a copy, so that no other build meets it."""
    folder = tmp_path_factory.mktemp("build")
    copy = folder / "sources"
    copy.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, copy)
    (made,) = folder.glob("edgekit_ml-*.whl")
    return made


def pip(python: str | Path, *arguments: object) -> str:
    """What pip prints, of the interpreter `python`."""
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=alone())
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def alone() -> dict[str, str]:
    """This environment, without paths to other packages."""
    return {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }


def environment(folder: Path, requirement: str) -> Path:
    """The interpreter of a new environment with nothing but `requirement`."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=alone())
    python = folder / "bin" / "python"
    pip(python, "install", requirement)
    return python


def check(python: Path, extra: str) -> Mapping[str, Any]:
    """`edgekit` works there; what `doctor` says."""
    command = str(python.with_name("edgekit"))

    def answer(*arguments: str) -> str:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, env=alone(), cwd=python.parent)
        assert done.returncode == 0, (extra, arguments, done.stderr[-2000:])
        return done.stdout

    assert answer("--version").startswith("edgekit ")
    assert "whisper-base" in answer("list", "models")
    assert {"models", "tasks", "targets"} <= json.loads(answer("list", "--json")).keys()
    assert "export" in answer("--help") and "complete" in answer("--completions", "bash")
    facts: Mapping[str, Any] = json.loads(answer("doctor", "--json"))
    return facts


def has(python: Path, module: str) -> bool:
    """Whether it can be imported there, and whether the whole of edgekit's Python interface can."""
    code = f"import edgekit, importlib.util as u; print(u.find_spec({module!r}) is not None)"
    done = subprocess.run([str(python), "-P", "-c", code], capture_output=True, text=True, env=alone(), check=True)
    return done.stdout.strip() == "True"


@pytest.mark.thorough
def test_the_base_answers_alone(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "base", f"edgekit-ml @ {wheel.as_uri()}")
    abilities = {ability["what"]: ability for ability in check(python, "base")["abilities"]}
    run = abilities["run, verify and bench bundles"]
    assert not run["ok"] and run["remedy"] == f'pip install "{wheel}[run]"'
    assert not any(has(python, module) for module in ("torch", "numpy", "onnxruntime"))


@pytest.mark.slow
@pytest.mark.parametrize("extra", INSTALLED)
def test_an_extra_installs(wheel: Path, tmp_path: Path, extra: str) -> None:
    python = environment(tmp_path / extra, f"edgekit-ml[{extra}] @ {wheel.as_uri()}")
    abilities = {ability["what"]: ability for ability in check(python, extra)["abilities"]}
    assert abilities["run, verify and bench bundles"]["ok"]
    assert has(python, INSTALLED[extra]) and not has(python, "torch")
    if extra == "pytest":
        listed = subprocess.run(
            [str(python), "-m", "pytest", "--fixtures", "-q"], capture_output=True, text=True, cwd=tmp_path
        )
        assert "edgekit.benchmarking.pytest_plugin" in listed.stdout


@pytest.mark.slow
@pytest.mark.parametrize("extra", RESOLVED)
def test_an_extra_resolves(wheel: Path, tmp_path: Path, extra: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "empty")], check=True, env=alone())
    python, report = tmp_path / "empty" / "bin" / "python", tmp_path / "report.json"
    requirement = f"edgekit-ml[{extra}] @ {wheel.as_uri()}"
    pip(python, "install", "--dry-run", "--report", report, requirement)
    names = {item["metadata"]["name"].lower().replace("_", "-") for item in json.loads(report.read_bytes())["install"]}
    assert {"edgekit-ml", "onnxruntime", RESOLVED[extra]} <= names
