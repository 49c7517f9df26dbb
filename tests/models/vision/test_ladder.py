"""EfficientNet-Lite0's ladder: a recipe that breaks the network is refused, and the next ones rescue it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of, runtime_for

NAMES = ("efficientnet-lite0", "mobilenet-v2", "mobilenet-v3-small")
#: One scale for all the weights of a layer, to nearest: what breaks networks of depthwise layers, whose channels are so
#: unlike. The onnx exporter rounds them by what their inputs need, and is no longer broken by it.
BROKEN: dict[str, Any] = {"runtime": "litert", "precision": "int8", "options": {"weights": "per-tensor"}}
TESTED = 100


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exporter", ["onnx", "litert"])
def test_the_rungs(name: str, exporter: str) -> None:
    """All in int8, then without the most sensitive layers, then in half precision, then in float."""
    rungs = find("exporters", exporter).ladder(find("models", name), recipe_of(runtime_for(exporter), "int8"))
    assert [recipe.precision for recipe in rungs] == ["int8", "int8", "fp16", "fp32"]
    assert not rungs[0].options and set(rungs[1].options) == {"float_layers"}


@pytest.fixture(scope="module")
def photos(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every tenth photo calibrates; of the others, `TESTED` test, evenly spaced."""
    source = shared_data / "imagenet-sample"
    with (source / "labels.csv").open(newline="") as file:
        rows = [(row["file"], row["class_index"]) for row in csv.DictReader(file)]
    others = [row for i, row in enumerate(rows) if i % 10]
    tested = [others[i * len(others) // TESTED] for i in range(TESTED)]
    folders = {}
    for name, chosen in (("calibration", rows[::10]), ("data", tested)):
        folders[name] = folder = tmp_path_factory.mktemp(name)
        (folder / "images").symlink_to(source / "images")
        with (folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "class_index"), *chosen])
    return folders


@pytest.mark.slow
def test_the_ladder_rescues_a_broken_recipe(tmp_path: Path, photos: dict[str, Any]) -> None:
    made = edgekit.export("efficientnet-lite0", "laptop", **BROKEN, out=tmp_path / "bundle", **photos)
    refused, *_, taken = made.manifest.attempts
    assert refused.recipe.options == BROKEN["options"]
    away = re.match(r"refused: the part 'network' in int8 is ([\d.]+)% away from the fp32 reference", refused.outcome)
    assert away and float(away[1]) > 35, refused.outcome
    assert re.search(r"The gate: (fail|undecided), loses [+-][\d.]+% against the reference", refused.outcome), (
        refused.outcome
    )
    assert taken.recipe.precision == "int8"
    assert taken.recipe.options == made.manifest.recipe.options != BROKEN["options"]
    gate = made.manifest.gate
    assert gate.samples == TESTED
    assert gate.reference - gate.value <= 0.02
