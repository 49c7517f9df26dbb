"""Runtimes by recipe, by format, and by what older files and users call them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.bundles.facts import recipe_in
from edgekit.bundles.manifest import RecipeFacts
from edgekit.cli import command as cli
from edgekit.core import Recipe
from edgekit.errors import UnknownName, Unsupported
from edgekit.estimation.recipes import named_runtime, recipe_for
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of, runtime_for, runtime_once

OTHER = """
from edgekit.core import Abilities, Runtime

class Other(Runtime):
    interface = 3
    name, formats, distributions, abilities = "another", ("onnx", "nothing-else"), (), Abilities()
    def load(self, file, threads):
        raise AssertionError("nothing is opened here")

RUNTIME = Other()
"""


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime of another package for ONNX files, whose name comes before ours."""
    site = toy_model.install(tmp_path / "site", "[edgekit.runtimes]\nanother = another_module:RUNTIME\n")
    (site / "another_module.py").write_text(OTHER)
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.parametrize(
    ("exporter", "runtime"),
    [("onnx", "onnxruntime"), ("openvino", "openvino"), ("gguf", "llama-cpp"), ("c", "qemu"), ("litert", "litert")],
)
def test_what_older_files_call_an_exporter_is_a_runtime(exporter: str, runtime: str, another: None) -> None:
    facts = RecipeFacts(exporter=exporter, precision="int8")
    manifest: Any = SimpleNamespace(recipe=facts)
    assert runtime_once(exporter) == runtime
    assert recipe_in(manifest) == Recipe(runtime, "int8")
    assert recipe_in(manifest).exporter in find("runtimes", runtime).formats


def test_a_runtime_from_outside_changes_no_format_of_ours(another: None) -> None:
    assert runtime_for("onnx") == "onnxruntime"
    assert runtime_for("onnx", ["openvino"]) == "openvino"
    assert runtime_for("nothing-else") == "another"
    assert recipe_of("another", "fp32").exporter == "onnx"
    assert edgekit.fit("vit-fashion", "laptop", runtime="another").verdict == "fits"
    with pytest.raises(Unsupported, match="no runtime"):
        runtime_for("nobody")


def test_an_exporter_is_an_alias_of_a_runtime() -> None:
    laptop = find("targets", "laptop")
    assert [named_runtime(laptop, None, name) for name in ("onnx", "openvino", "gguf")] == [
        "onnxruntime",
        "openvino",
        "llama-cpp",
    ]
    other = replace(laptop, runtimes={"openvino": "", "onnxruntime": ""})
    assert named_runtime(other, None, "onnx") == "openvino", "the target's order decides"
    assert named_runtime(laptop, "openvino", None) == "openvino" and named_runtime(laptop, None, None) is None
    with pytest.raises(Unsupported, match="a recipe names a runtime"):
        named_runtime(laptop, "openvino", "onnx")
    with pytest.raises(UnknownName):
        named_runtime(laptop, None, "nobody")


def test_nothing_is_exported_for_what_computes_references(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unsupported, match="torch computes references"):
        recipe_of("torch", "fp32")
    assert cli.run(["fit", "vit-fashion", "--target", "laptop", "--runtime", "torch"]) == Unsupported.exit_code
    assert "torch computes references" in capsys.readouterr().err


def test_the_alias_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fit", "vit-fashion", "--target", "laptop", "--exporter", "onnx"]) == 0
    out, err = capsys.readouterr()
    assert "onnxruntime int8" in out and "--exporter is an alias of --runtime" in err


def test_openvino_takes_what_a_target_makes_by_default() -> None:
    model, laptop = find("models", "vit-fashion"), find("targets", "laptop")
    assert recipe_for(model, laptop, None, "openvino") == Recipe("openvino", "int8")
    assert "no recurrent layers" in find("runtimes", "openvino").refuses(
        find("models", "ge2e-speaker"), recipe_of("openvino", "int8")
    )
    with pytest.raises(UnknownName, match="runtime"):
        recipe_for(model, laptop, None, "onnx")
