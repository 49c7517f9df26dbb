"""A format and its runtime from outside: they take the models that are declared here, with no edit here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.hub.architectures import ARCHITECTURES, write
from helpers.toys import toy_model
from onnx import TensorProto, helper, numpy_helper

from edgekit import cli
from edgekit.errors import EdgekitError
from edgekit.estimation.recipes import recipe_for, refusal
from edgekit.registry import find, names

#: Torch programs, as an outside package has them: the exporter saves each part as a program, or the .tflite that it is;
#: the runtime calls it.
MODULE = """
import json
from pathlib import Path

from edgekit.core import Abilities, Artifact, Exporter, Runner, Runtime, TensorSpec


class Programs(Exporter):
    interface = 3
    name, precisions, extra = "programs", ("fp32", "int8"), "export"
    distributions, doctor = ("torch",), "export programs"
    takes, demands = ("tflite",), ("planned axes", "module")

    def ladder(self, model, recipe):
        return ()

    def refuses(self, model, recipe):
        made = recipe.precision == "int8" and not model.network.precision and model.network.ready != "tflite"
        return "programs are quantized by nobody" if made else ""

    def reference(self, model, checkpoint, work, progress):
        ready = [part for part in model.network.parts if part.build is None]
        return {part.name: opened(checkpoint.path, part.inputs, part.outputs) for part in ready}

    def export(self, model, checkpoint, recipe, calibration, out, work, progress):
        artifacts = []
        for part in model.network.parts:
            file = out / f"{part.name}.program"
            if part.build:
                save(part, part.build(checkpoint), file)
            else:
                file.write_bytes(checkpoint.path.read_bytes())
            sides = [[[s.name, s.dtype, list(s.shape)] for s in specs] for specs in (part.inputs, part.outputs)]
            Path(f"{file}.json").write_text(json.dumps([part.build is not None, *sides]))
            artifacts.append(Artifact(part.name, file.name, {"operators": {}}))
        return artifacts


def save(part, module, file):
    import warnings

    import torch
    from edgekit.exporters.common.torch_export import Flat, dynamic, example

    examples = tuple(example(part, spec) for spec in part.inputs)
    axes = (tuple(dynamic(part, spec, bounded=False) for spec in part.inputs),)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of its own internals
        program = torch.export.export(Flat(module.eval()), examples, dynamic_shapes=axes, strict=False)
        torch.export.save(program, file)


class Engine(Runtime):
    interface = 3
    name, formats, distributions, abilities = "engine", ("programs",), ("torch",), Abilities()

    def load(self, file, threads):
        program, *sides = json.loads(Path(f"{file}.json").read_text())
        inputs, outputs = (tuple(TensorSpec(n, d, tuple(s)) for n, d, s in side) for side in sides)
        return Loaded(file, inputs, outputs) if program else opened(file, inputs, outputs)


def opened(file, inputs, outputs):
    from edgekit.formats import tflite
    from edgekit.runtimes.litert.runner import open_runner

    content = file.read_bytes()
    return open_runner(content, 1, (inputs, outputs), file.name, tflite.read(content, dynamic=True))


class Loaded(Runner):
    def __init__(self, file, inputs, outputs):
        import torch

        self._module = torch.export.load(file).module()
        self.inputs, self.outputs = inputs, outputs

    def __call__(self, feeds):
        import torch

        with torch.no_grad():
            made = self._module(*(torch.from_numpy(feeds[spec.name].copy()) for spec in self.inputs))
        made = made if isinstance(made, (tuple, list)) else (made,)
        return {spec.name: value.numpy() for spec, value in zip(self.outputs, made, strict=True)}


EXPORTER, RUNTIME = Programs(), Engine()
"""
POINTS = (
    "[edgekit.exporters]\nprograms = scripts_module:EXPORTER\n[edgekit.runtimes]\nengine = scripts_module:RUNTIME\n"
)
#: What is made of torch modules, or is a ready .tflite; the others are language models: whole files of another format.
TAKEN = [name for name in names("models") if find("models", name).network.ready != "gguf"]
#: Those that are tried whenever minutes are; all others before a release.
FEW = ("vit-fashion", "half-cheetah-policy", "two-tower-movielens", "okay-nabu")
#: A network as a stranger has it.
NET = """
import numpy as np
import torch

def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))

def examples():
    random = np.random.default_rng(0)
    for _ in range(32):
        yield random.normal(0, 1, (1, 8)).astype(np.float32)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = toy_model.install(tmp_path / "site", POINTS)
    (folder / "scripts_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])))
    monkeypatch.delitem(sys.modules, "scripts_module", raising=False)
    return folder


def test_it_may_take_every_model_but_whole_files_of_other_formats(site: Path) -> None:
    taken = set()
    for name in names("models"):
        with contextlib.suppress(EdgekitError):
            model = find("models", name)
            recipe = recipe_for(model, find("targets", "laptop"), precision_of(name), "engine")
            if not refusal(model, recipe):
                taken.add(name)
    assert taken == set(TAKEN) and len(taken) >= 30


def test_it_is_listed(site: Path) -> None:
    assert "engine" in {entry["runtime"] for entry in command("list", "runtimes")["runtimes"]}


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in FEW else pytest.mark.slow)
        for name in TAKEN
        if find("models", name).weights.sources
    ],
)
def test_a_model_goes_the_whole_way(site: Path, tmp_path: Path, name: str) -> None:
    # The answers of some to the evidence take ten minutes, of wake words half of one: then the golden input must do.
    slow = find("models", name).identity.family == "whisper" or name == "okay-nabu"
    whole_way(tmp_path, name, "--precision", precision_of(name), *(["--no-evidence"] if slow else []))


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["module", "graph", "repository"])
def test_what_people_bring_goes_the_whole_way(site: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    if kind == "module":
        (place / "net.py").write_text(NET)
        source = f"{place}/net.py:build"
    elif kind == "graph":
        weight = numpy_helper.from_array(np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32), "w")
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 8), ("y", 4))
        ]
        graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "toy", ends[:1], ends[1:], [weight])
        source = f"{place}/net.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), source)
    else:
        write(next(entry for entry in ARCHITECTURES if entry.name == "ViT"), place)
        source = str(place)
    whole_way(tmp_path, source)


def precision_of(name: str) -> str:
    return "int8" if find("models", name).network.ready else "fp32"


def whole_way(folder: Path, source: str, *options: str) -> None:
    place = folder / "bundle"
    asked = ("--target", "laptop", "--runtime", "engine")
    assert command("fit", source, *asked, *options[:2])[0]["verdict"] == "fits"
    made = command("export", source, *asked, "--out", str(place), *options)
    assert (made["recipe"]["runtime"], made["recipe"]["exporter"]) == ("engine", "programs") and not made["reused"]
    assert command("export", source, *asked, "--out", str(place), *options)["reused"], "the key knows it"
    assert all(error < 1e-4 for error in command("verify", str(place))["parity"].values())
    golden = json.loads((place / "manifest.json").read_text())["golden"]["input"]
    assert command("run", str(place), str(place / golden))
    assert command("bench", str(place), "--processes", "1", "--seconds", "0.2")["bundle"]["runtime"] == "engine"


def command(*arguments: str) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run([*arguments, "--json"]) == 0, out.getvalue()
    return json.loads(out.getvalue())
