"""Core AI's runtime in a process of its own: answers, refusals, and assets that are not what they should be.

Apple's packages are asked: `make accelerator-tools` installs them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.absence import skip_without
from helpers.cases.litert_cases import ATTENTION, CHECKPOINT, calls, model, sentences

from edgekit.core import Recipe
from edgekit.errors import BadInput, CannotRun, MissingExtra
from edgekit.exporters.coreai import EXPORTER
from edgekit.numerics.parity import part_error
from edgekit.runtimes.coreai import RUNTIME
from edgekit.runtimes.coreai import description as coreai_description
from edgekit.runtimes.coreai import runner as coreai_runner

pytestmark = pytest.mark.thorough
skip_without("coreai_torch", "Apple's packages are", "accelerator-tools")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("coreai")
    recipe = Recipe("coreai", "fp32")
    [made] = EXPORTER.export(model(ATTENTION), CHECKPOINT, recipe, {}, out, out, lambda *_: None)
    return out / made.file


@pytest.fixture
def asset(whole: Path, tmp_path: Path) -> Path:
    """A copy, to spoil."""
    copy = tmp_path / whole.name
    copy.mkdir()
    for file in whole.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def test_names_types_and_values_are_the_parts(whole: Path) -> None:
    """Whole numbers of 64 bits go in as 32, and the outputs are not in Apple's order."""
    runner = RUNTIME.load(whole, 1)
    assert (runner.inputs, runner.outputs) == (ATTENTION.inputs, ATTENTION.outputs)
    assert part_error(runner, calls(ATTENTION, sentences(3))) < 1e-5
    assert list(runner(sentences(1)[0])) == ["y", "middle"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokens": None}, "the input 'tokens' is missing"),
        ({"sound": np.zeros((1, 12, 63), np.float32)}, r"'sound' must be float32 \[1, 12, 64\]"),
        ({"tokens": np.zeros((1, 12), np.int32)}, "'tokens' must be int64"),
        ({"more": np.zeros(1, np.float32)}, "there is no input 'more'"),
    ],
)
def test_wrong_inputs(whole: Path, change: dict[str, Any], said: str) -> None:
    feeds = {name: value for name, value in {**sentences(1)[0], **change}.items() if value is not None}
    with pytest.raises(BadInput, match=said):
        RUNTIME.load(whole, 1)(feeds)


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 200_000,
        json.dumps({"creatorDefinedMetadata": {coreai_description.KEY: "[]"}}).encode(),
        json.dumps({"creatorDefinedMetadata": {coreai_description.KEY: '{"inputs": [[1]], "outputs": []}'}}).encode(),
        b" " * (2 << 20),
    ],
    ids=["empty", "a list", "no key", "deep", "no sides", "no specification", "long"],
)
def test_a_description_that_is_none(asset: Path, told: bytes) -> None:
    (asset / "metadata.json").write_bytes(told)
    with pytest.raises(BadInput, match=r"attention\.aimodel does not say what its inputs are"):
        RUNTIME.load(asset, 1)


def test_a_file_that_is_no_asset(tmp_path: Path) -> None:
    (tmp_path / "x.aimodel").write_bytes(b"x")
    with pytest.raises(BadInput, match="edgekit did not make it"):
        RUNTIME.load(tmp_path / "x.aimodel", 1)


@pytest.mark.parametrize("content", [b"", b"ML\xefR" + b"\0" * 100], ids=["empty", "nonsense"])
def test_a_program_that_is_none_is_one_line(asset: Path, content: bytes) -> None:
    (asset / "main.mlirb").write_bytes(content)
    with pytest.raises(CannotRun, match="Core AI") as caught:
        RUNTIME.load(asset, 1)(sentences(1)[0])
    assert "\n" not in caught.value.message


def test_a_damaged_program_neither_hangs_nor_takes_us_along(asset: Path) -> None:
    content = bytearray((asset / "main.mlirb").read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 4):
        content[place] ^= 0xFF
    for end in (len(content) // 2, len(content)):
        (asset / "main.mlirb").write_bytes(bytes(content[:end]))
        try:
            answer = RUNTIME.load(asset, 1)(sentences(1)[0])
        except CannotRun:
            continue
        assert set(answer) == {"y", "middle"}  # a weight was hit


def test_a_call_that_takes_too_long(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coreai_runner, "_SECONDS", 0.05)
    with pytest.raises(CannotRun, match=r"Core AI took longer than 0\.05 s, and was ended"):
        RUNTIME.load(whole, 1)(sentences(1)[0])


def test_without_the_package(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coreai", None)
    with pytest.raises(MissingExtra, match="Running a Core AI program") as caught:
        RUNTIME.load(whole, 1)
    assert "coreai" in caught.value.hint
