"""SmolLM2 as a user meets it: three precisions, chat, proof, speed, and the refusal of what has no room."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.cases.gguf_files import BROKEN
from helpers.toys.toy_model import forge

import edgekit
from edgekit.cli.command import run
from edgekit.core import Bundle, Model, Recipe
from edgekit.errors import ParityFailed
from edgekit.exporters.gguf import quantize as gguf_quantize
from edgekit.formats import gguf
from edgekit.llama import library
from edgekit.registry import find
from edgekit.runtimes.llama_cpp import room

pytestmark = pytest.mark.real
PRECISIONS = ("q8_0", "q4_k_m", "q4_0")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    place = tmp_path_factory.mktemp("smollm2")
    bundles: dict[str, Bundle] = {}

    def make(precision: str) -> Bundle:
        if precision not in bundles:
            out = place / precision
            bundles[precision] = edgekit.export(
                "smollm2-135m", precision=precision, out=out, fallback=False, evidence=False
            )
        return bundles[precision]

    return make


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_is_as_large_as_was_said_and_proves_itself(made: Callable[[str], Bundle], precision: str) -> None:
    bundle, model = made(precision), find("models", "smollm2-135m")
    assert isinstance(model, Model) and model.costs.size is not None
    size = sum(file.size for file in bundle.manifest.files.values())
    assert size == pytest.approx(model.costs.size(recipe_of(bundle)), rel=0.01)
    census: dict[str, Any] = bundle.manifest.parts[0].census
    assert census["file_type"] == precision
    assert "re-quantized" in census["source"]  # the packaged weights are Q4_1
    errors = edgekit.verify(bundle.path)["parity"]
    assert 0 < errors["network"] < 0.5


@pytest.mark.parametrize("how", BROKEN)
def test_the_coarsest_type_is_told_from_broken_weights(made: Callable[[str], Bundle], tmp_path: Path, how: str) -> None:
    bundle = made("q2_k")
    assert 0 < edgekit.verify(bundle.path)["parity"]["network"] < 0.7
    wide, copy = tmp_path / "f16.gguf", tmp_path / "bundle"
    gguf_quantize.quantize(made("q8_0").path / "network.gguf", wide, "f16")
    content = np.memmap(wide, np.uint8, "r+")
    for tensor in gguf.read(wide).tensors:
        if tensor.type == "f16":
            place = content[tensor.offset : tensor.offset + tensor.size].view(np.float16).reshape(tensor.shape[::-1])
            place[:] = BROKEN[how](place.astype(np.float32))
    content.flush()
    shutil.copytree(bundle.path, copy)
    gguf_quantize.quantize(wide, copy / "network.gguf", "q2_k")
    forge(copy)
    with pytest.raises(ParityFailed, match="away from the fp32 reference on the golden input"):
        edgekit.verify(copy)


def recipe_of(bundle: Bundle) -> Recipe:
    recipe = bundle.manifest.recipe
    return Recipe(recipe.runtime, recipe.precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_answers_with_its_own_chat_template(
    made: Callable[[str], Bundle], precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = "Write a Python function that adds two numbers."
    command = ["run", str(made(precision).path), prompt, "-o", "most=40", "--json"]
    assert run(command) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert "def add" in answer["output"]
    assert "<|im_" not in answer["output"]  # control tokens are none of the text
    assert not answer["details"]["notes"]  # it has a template
    assert run([*command, "-o", "raw=true"]) == 0
    (raw,) = json.loads(capsys.readouterr().out)
    assert answer["details"]["prompt_tokens"] > raw["details"]["prompt_tokens"] + 10


def test_bench_tells_all_that_it_measures(
    made: Callable[[str], Bundle], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bench", str(made("q4_0").path), "--processes", "1", "--loops", "1", "--contexts", "256"]
    assert run([*command, "--out", str(tmp_path / "a.json"), "--limit", "300"]) == 0
    shown = capsys.readouterr().out
    report = json.loads((tmp_path / "a.json").read_bytes())
    values = {one["name"]: one["values"] for one in report["measurements"]}
    speeds, memory = {"pp512", "tg128", "tg32@256"}, {"rss.peak", "rss.anonymous", "rss.file"}
    rest = {
        "first_token",
        "load.import",
        "load.bundle",
        "load.cold",
        "bandwidth.read",
        "bandwidth.share",
        "bundle.size",
        "part.network.size",
    }
    assert values.keys() == speeds | memory | rest
    assert all(len(values[name]) == 1 and values[name][0][0] > 0 for name in speeds | rest)
    assert "GB/s" in shown and "end_to_end" not in shown
    assert values["rss.peak"][0][0] > 90e6  # the weights alone


def test_what_has_no_room_is_refused_before_it_is_loaded(
    made: Callable[[str], Bundle], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = made("q4_k_m")  # which needs room
    monkeypatch.setattr(room, "available", lambda: 50_000_000)
    assert run(["run", str(bundle.path), "hello"]) == 6
    assert "need 104 MB of RAM; 50 MB are free" in capsys.readouterr().err
