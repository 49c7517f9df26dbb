"""A format and its runtime from outside: they take the models that are declared here, with no edit here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.errors import EdgekitError
from edgekit.estimation.recipes import recipe_for, refusal
from edgekit.registry import find, names

#: Torch programs, as an outside package has them: the exporter saves each part's module, the runtime calls it.
MODULE = """
import json
from pathlib import Path

from edgekit.core import Abilities, Artifact, Exporter, Runner, Runtime, TensorSpec


class Scripts(Exporter):
    interface = 3
    name, precisions, extra = "scripts", ("fp32",), "export"
    distributions, doctor = ("torch",), "export scripts"

    def export(self, model, checkpoint, recipe, calibration, out, work, progress):
        import torch
        from edgekit.exporters.common.torch_export import Flat

        artifacts = []
        for part in model.network.parts:
            module = Flat(part.build(checkpoint).eval())
            feeds = calibration[part.name][0]
            example = tuple(torch.from_numpy(feeds[spec.name].copy()) for spec in part.inputs)
            with torch.no_grad():
                torch.jit.trace(module, example, check_trace=False).save(str(out / f"{part.name}.pt"))
            sides = [[[s.name, s.dtype, list(s.shape)] for s in specs] for specs in (part.inputs, part.outputs)]
            (out / f"{part.name}.json").write_text(json.dumps(sides))
            artifacts.append(Artifact(part.name, f"{part.name}.pt", {"operators": {}}))
        return artifacts


class Engine(Runtime):
    interface = 3
    name, formats, distributions, abilities = "engine", ("scripts",), ("torch",), Abilities()

    def load(self, file, threads):
        return Loaded(file)


class Loaded(Runner):
    def __init__(self, file):
        import torch

        self._module = torch.jit.load(str(file))
        sides = json.loads(file.with_suffix(".json").read_text())
        self.inputs, self.outputs = (tuple(TensorSpec(n, d, tuple(s)) for n, d, s in side) for side in sides)

    def __call__(self, feeds):
        import torch

        with torch.no_grad():
            made = self._module(*(torch.from_numpy(feeds[spec.name].copy()) for spec in self.inputs))
        made = made if isinstance(made, (tuple, list)) else (made,)
        return {spec.name: value.numpy() for spec, value in zip(self.outputs, made, strict=True)}


EXPORTER, RUNTIME = Scripts(), Engine()
"""
POINTS = "[edgekit.exporters]\nscripts = scripts_module:EXPORTER\n[edgekit.runtimes]\nengine = scripts_module:RUNTIME\n"
#: What a format that takes torch modules cannot hold: language models in files of their own, ready int8 networks; and
#: the frontend of ge2e-speaker, which was tried.
OTHERS = ("gguf", "litert", "onnx")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = toy_model.install(tmp_path / "site", POINTS)
    (folder / "scripts_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "scripts_module", raising=False)
    return folder


def test_it_may_take_every_model_that_is_made_of_torch_modules(site: Path) -> None:
    taken, left = set(), set()
    for name in names("models"):
        model = find("models", name)
        try:
            recipe = recipe_for(model, find("targets", "laptop"), None, "engine")
            (left if refusal(model, recipe) else taken).add(name)
        except EdgekitError:
            left.add(name)
    assert {find("models", name).network.exporters for name in left} == {(name,) for name in OTHERS}
    assert len(taken) >= 28


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["vit-fashion", "half-cheetah-policy", "two-tower-movielens"])
def test_a_model_goes_the_whole_way(site: Path, tmp_path: Path, name: str) -> None:
    def command(*arguments: str) -> Any:
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        code = "from edgekit.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--json"],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    place = str(tmp_path / "bundle")
    asked = ("export", name, "--target", "laptop", "--runtime", "engine", "--out", place)
    assert "engine" in {entry["runtime"] for entry in command("list", "runtimes")["runtimes"]}
    assert command("fit", name, "--target", "laptop", "--runtime", "engine")[0]["verdict"] == "fits"
    made = command(*asked)
    assert (made["recipe"]["runtime"], made["recipe"]["exporter"]) == ("engine", "scripts") and not made["reused"]
    assert command(*asked)["reused"], "the key knows it"
    assert all(error < 1e-4 for error in command("verify", place)["parity"].values())
    golden = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["golden"]["input"]
    assert command("run", place, str(tmp_path / "bundle" / golden))
    report = command("bench", place, "--processes", "1", "--seconds", "0.2")
    assert report["bundle"]["runtime"] == "engine"
    assert edgekit.__version__
