"""Names of exporters and runtimes mean nothing: under other names, and without past measurements, the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import edgekit

#: Gives every exporter and runtime another name when it is loaded, and targets the new names of their runtimes.
RENAMING = """
import sys
from dataclasses import replace

from edgekit import registry

find, names, MARK = registry.find, registry.names, "renamed-"
ROOMS = ("exporters", "runtimes")


def other_names(room):
    return [MARK + name for name in names(room)] if room in ROOMS else names(room)


def other(room, name):
    if room in ROOMS:
        if not name.startswith(MARK):
            raise registry.UnknownName.of(registry.kind(room), name, other_names(room))
        entry = find(room, name.removeprefix(MARK))
        if not entry.name.startswith(MARK):
            entry.name = MARK + entry.name
            if room == "runtimes":
                entry.formats = tuple(MARK + form for form in entry.formats)
        return entry
    entry = find(room, name)
    if room == "targets":
        recipes = {task: replace(recipe, runtime=MARK + recipe.runtime) for task, recipe in entry.recipes.items()}
        return replace(entry, recipes=recipes, runtimes={MARK + own: what for own, what in entry.runtimes.items()})
    return entry


if sys.argv[1] == "renamed":
    registry.find, registry.names = other, other_names
import edgekit

for model, target in CASES:
    bundle = edgekit.export(model, target, out=f"{sys.argv[2]}/{model}")
    print(model, bundle.manifest.recipe.runtime)
"""
CASES = [
    ("silero-vad", "laptop"),
    ("vit-fashion", "laptop"),
    ("ds-cnn-kws", "ios"),
    ("okay-nabu", "android"),
    ("half-cheetah-policy", "cortex-m4"),
    ("mobilenet-v1-025-vww", "cortex-m4"),
]
#: What tells of a bundle, and names recipes.
TEXTS = ("manifest.json", "README.md", "sbom.cdx.json")

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `plain` and `renamed` with a bundle of each case; a process makes the one, another the other."""
    folder = tmp_path_factory.mktemp("renamed")
    package = folder / "site" / "edgekit"
    shutil.copytree(Path(edgekit.__file__).parent, package)
    (package / "estimation" / "calibration.json").unlink()
    (folder / "renaming.py").write_text(f"CASES = {CASES}\n{RENAMING}")
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    for kind in ("plain", "renamed"):
        (folder / kind).mkdir()
        done = subprocess.run(
            [sys.executable, str(folder / "renaming.py"), kind, str(folder / kind)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = [line.split() for line in done.stdout.splitlines()]
        runtimes = {line[0]: line[1] for line in told if len(line) == 2}
        assert all(runtimes[model].startswith("renamed-") == (kind == "renamed") for model, _ in CASES), runtimes
    return folder


@pytest.mark.parametrize("model", [model for model, _ in CASES])
def test_the_same_bytes_under_other_names(made: Path, model: str) -> None:
    assert digests(made / "plain" / model) == digests(made / "renamed" / model)


def digests(bundle: Path) -> Mapping[str, str]:
    files = [file for file in sorted(bundle.rglob("*")) if file.is_file() and file.name not in TEXTS]
    hashes = {str(file.relative_to(bundle)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    parts = json.loads((bundle / "manifest.json").read_text())["parts"]
    assert {part["file"].split("/")[0] for part in parts} <= {name.split("/")[0] for name in hashes}
    return hashes
