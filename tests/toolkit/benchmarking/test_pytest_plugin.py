"""The pytest plugin, in pytests of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import install_command

pytest.importorskip("pytest_benchmark", reason="pip install pytest-benchmark")

SUITE = """
def test_speed(edgekit_benchmark):
    assert edgekit_benchmark({signal!r}).output in ("no", "yes", "maybe")
"""

UNUSED = """
import sys

def test_nothing_is_loaded():
    loaded = [name for name in sys.modules if name.startswith("edgekit.")]
    assert loaded == ["edgekit.benchmarking", "edgekit.benchmarking.pytest_plugin"]
    assert "numpy" not in sys.modules
"""


def pytest_in(toy: Any, folder: Path, suite: str, *options: str) -> Any:
    """A pytest in a process of its own, with the plugin but without this repo's configuration."""
    folder.mkdir(exist_ok=True)
    (folder / "test_it.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "edgekit.benchmarking.pytest_plugin", "-p", "no:cacheprovider"]
    plugins += [] if "without" in options else ["-p", "pytest_benchmark.plugin"]
    options = tuple(option for option in options if option != "without")
    # This pytest may be one of several workers; that one is none, and pytest-benchmark writes no file in a worker.
    code = "import os, sys, pytest; os.environ.pop('PYTEST_XDIST_WORKER', None); sys.exit(pytest.main(sys.argv[1:]))"
    return toy.python(code, str(folder), f"--rootdir={folder}", *plugins, *options, env=LIGHT)


#: Only the named plugins, whatever else is installed here.
LIGHT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_a_bundle_is_measured_and_told_of(toy: Any, bundle: Path, signal: str, tmp_path: Path) -> None:
    out = tmp_path / "b.json"
    options = (f"--edgekit-bundle={bundle}", f"--benchmark-json={out}", "--benchmark-max-time=0.01")
    done = pytest_in(toy, tmp_path / "suite", SUITE.format(signal=signal), *options)
    assert done.returncode == 0, done.stdout
    (entry,) = json.loads(out.read_text())["benchmarks"]
    assert entry["extra_info"]["edgekit.model"] == "toy-speller" and entry["extra_info"]["edgekit.precision"] == "int8"
    assert entry["stats"]["rounds"] >= 5


def test_each_bundle_is_a_test_and_none_is_a_skip(toy: Any, bundle: Path, signal: str, tmp_path: Path) -> None:
    suite = SUITE.format(signal=signal)
    done = pytest_in(toy, tmp_path / "suite", suite, "--benchmark-disable", "-v", *[f"--edgekit-bundle={bundle}"] * 2)
    assert "2 passed" in done.stdout
    done = pytest_in(toy, tmp_path / "suite", suite, "-rs")
    assert done.returncode == 0 and "give --edgekit-bundle DIR" in done.stdout


def test_unused_it_loads_nothing(toy: Any, tmp_path: Path) -> None:
    done = pytest_in(toy, tmp_path / "suite", UNUSED)
    assert done.returncode == 0, done.stdout


def test_without_pytest_benchmark_it_says_what_to_install(toy: Any, bundle: Path, signal: str, tmp_path: Path) -> None:
    options = (f"--edgekit-bundle={bundle}", "without")
    done = pytest_in(toy, tmp_path / "suite", SUITE.format(signal=signal), *options)
    assert done.returncode == 1 and install_command("pytest") in done.stdout
