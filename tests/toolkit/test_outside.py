"""One of each room from a folder outside (a model, a task, a runtime and so on): all works, nothing is edited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

#: One file an entry, as an outside package has them. Only the names differ from what stands in the toy's module.
FILES = {
    "birds_task.py": """
from edgekit.core import Task
from helpers.toys.toy_model import _pipeline, _samples

TASK = Task("bird-naming", "sound", "answers", lambda folder, labels: _samples(folder), _pipeline, metric="wer")
""",
    "birds_model.py": """
from dataclasses import replace
from helpers.toys.toy_model import MODEL as TOY

MODEL = replace(
    TOY,
    identity=replace(TOY.identity, name="song-namer"),
    task=replace(TOY.task, name="bird-naming", predictor=None, samples=None),
)
""",
    "birds_exporter.py": """
from helpers.toys.toy_model import ToyExporter

class Nest(ToyExporter):
    name = "nest"
    distributions = ("numpy", "nest-builder")
    doctor = "build nests"

EXPORTER = Nest()
""",
    "birds_runtime.py": """
from helpers.toys.toy_model import ToyRuntime

class Tree(ToyRuntime):
    name = "tree"
    formats = ("nest",)

RUNTIME = Tree()
""",
    "birds_importer.py": """
from dataclasses import replace
from pathlib import Path
from edgekit.core import Importer, Inspection
from birds_model import MODEL as NAMER

class Feathers(Importer):
    name = "feather-folder"
    form = "a folder of feathers"
    extra = "export"

    def accepts(self, source):
        return source.endswith(".feathers")

    def inspect(self, source, options, progress):
        return Inspection(source, self.name, "a bird", ("bird-naming",), licence="MIT")

    def model(self, source, options, progress):
        weights = replace(NAMER.weights, hub=str(Path(source).resolve()))
        named = replace(NAMER.identity, name="my-bird", importer=self.name)
        return replace(NAMER, identity=named, weights=weights)

IMPORTER = Feathers()
""",
    "birds_target.py": """
from edgekit.core import Recipe, Target

TARGET = Target("birdhouse", "any", "any", {"*": Recipe("tree", "int8")}, "host", ram=1_500_000)
""",
}
POINTS = """
[edgekit.tasks]
bird-naming = birds_task:TASK
[edgekit.models]
song-namer = birds_model:MODEL
[edgekit.exporters]
nest = birds_exporter:EXPORTER
[edgekit.runtimes]
tree = birds_runtime:RUNTIME
[edgekit.importers]
feather-folder = birds_importer:IMPORTER
[edgekit.targets]
birdhouse = birds_target:TARGET
"""


class Outside:
    """A folder outside with the four files, installed as a distribution is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, toy_model.install(folder / "site", POINTS)
        for name, text in FILES.items():
            (self.site / name).write_text(text)
        self.builder("1.0")
        self.weights = toy_model.write_weights(folder / "weights")
        self.data = toy_model.write_data(folder / "data")

    def builder(self, version: str) -> None:
        """Install this version of the tool that the exporter stands on."""
        info = self.site / "nest_builder-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: nest-builder\nVersion: {version}\n")

    def __call__(self, *arguments: str) -> Any:
        """What a command line prints as JSON, in a process of its own."""
        tests = Path(__file__).parents[1]
        path = os.pathsep.join(filter(None, [str(self.site), str(tests), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-c", "from edgekit.cli import main; main()", *arguments, "--json"],
            env={**os.environ, "PYTHONPATH": path, "EDGEKIT_CACHE": str(self.folder / "cache")},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def export(self) -> Any:
        place = self.folder / "bundle"
        asked = ("--target", "birdhouse", "--weights", str(self.weights), "--data", str(self.data), "--out", str(place))
        facts = self("export", "song-namer", *asked)
        return facts, json.loads((place / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    return Outside(tmp_path_factory.mktemp("outside"))


def test_list_has_all_five(outside: Outside) -> None:
    rooms = outside("list")
    added = {"models": "song-namer", "tasks": "bird-naming", "targets": "birdhouse", "exporters": "nest"}
    added["importers"] = "feather-folder"
    for room, name in added.items():
        assert name in [entry[room.rstrip("s")] for entry in rooms[room]]


def test_fit_and_doctor_know_them(outside: Outside) -> None:
    (fit,) = outside("fit", "song-namer", "--target", "birdhouse")
    assert (fit["verdict"], fit["recipe"]["exporter"]) == ("fits", "nest")
    (line,) = (line for line in outside("doctor")["abilities"] if line["what"] == "build nests")
    assert line["ok"] and "nest-builder 1.0" in line["found"]


def test_export_verify_run_and_the_key_of_reuse(outside: Outside) -> None:
    _, manifest = outside.export()
    assert (manifest["model"]["name"], manifest["model"]["task"]) == ("song-namer", "bird-naming")
    assert manifest["gate"]["verdict"] == "pass" and manifest["gate"]["metric"] == "wer"
    assert manifest["versions"]["nest-builder"] == "1.0"
    place = str(outside.folder / "bundle")
    assert outside("verify", place)["parity"].keys() == {"frontend", "network"}
    sample = str(next(path for path in sorted(outside.data.iterdir()) if path.suffix == ".npy"))
    assert outside("run", place, sample)[0]["output"] in toy_model.LABELS
    assert outside.export()[1]["key"] == manifest["key"]
    outside.builder("2.0")
    again = outside.export()[1]
    assert again["key"] != manifest["key"] and again["versions"]["nest-builder"] == "2.0"


def test_a_source_of_an_outside_importer_becomes_a_bundle_that_needs_no_source(outside: Outside) -> None:
    source = toy_model.write_weights(outside.folder / "robin.feathers")
    assert outside("inspect", str(source))["architecture"] == "a bird"
    (fit,) = outside("fit", str(source), "--target", "birdhouse")
    assert fit["verdict"] == "fits"
    place = outside.folder / "bird"
    planned = outside("export", str(source), "--target", "birdhouse", "--dry-run", "--out", str(place))
    assert planned["importer"] == "feather-folder" and planned["weights"] == str(source) and not place.exists()
    assert [recipe["precision"] for recipe in planned["recipes"]] == ["int8", "fp32"]
    outside("export", str(source), "--target", "birdhouse", "--out", str(place))
    source.rename(source.with_name("gone"))
    manifest = json.loads((place / "manifest.json").read_bytes())
    assert (manifest["model"]["name"], manifest["model"]["importer"]) == ("my-bird", "feather-folder")
    assert outside("verify", str(place), "--data", str(outside.data))["parity"].keys() == {"frontend", "network"}
    sample = str(next(path for path in sorted(outside.data.iterdir()) if path.suffix == ".npy"))
    assert outside("run", str(place), sample)[0]["output"] in toy_model.LABELS
