"""The Core AI exporter: every precision in Apple's own runtime, the asset, what it refuses.

Apple's packages are asked: `make accelerator-tools` installs them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.absence import skip_without
from helpers.cases.litert_cases import ATTENTION, CHECKPOINT, IMAGE, calls, model, pictures, sentences
from torch import Tensor, nn

from edgekit.core import Artifact, Axis, Feeds, Part, Recipe, TensorSpec
from edgekit.errors import ExportFailed, MissingExtra, Unsupported
from edgekit.exporters.coreai import EXPORTER
from edgekit.numerics.parity import limit_of, part_error
from edgekit.runtimes.coreai import RUNTIME

pytestmark = pytest.mark.thorough
skip_without("coreai_torch", "Apple's packages are", "accelerator-tools")

#: How far a small network may be from fp32 (fp16 has 11 bits).
EXPECTED = {"fp32": 1e-5, "fp16": 5e-3, "int8": 3e-2}


def export(
    out: Path, precision: str = "fp32", part: Part = IMAGE, feeds: Sequence[Feeds] = (), **options: Any
) -> Artifact:
    out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe("coreai", precision, options)
    [made] = EXPORTER.export(model(part), CHECKPOINT, recipe, {part.name: feeds}, out, out, lambda *_: None)
    return made


class Speech(nn.Module):
    """A recurrent layer over any number of frames, and a table of rows that it is added to."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.out = nn.LSTM(64, 48, batch_first=True), nn.Linear(48, 64)
        self.table = nn.Parameter(torch.randn(64, 48))

    def forward(self, sound: Tensor) -> Tensor:
        made: Tensor = self.out(self.lstm(sound)[0]) + sound @ (self.table @ self.table.T)
        return made


class Products(nn.Module):
    """A product of any number of rows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(64, 128), nn.Linear(128, 8)

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = self.outer(torch.relu(self.inner(rows)))
        return made


SPEECH = Part(
    "speech",
    (TensorSpec("sound", "float32", (1, 6, 64)),),
    (TensorSpec("y", "float32", (1, 6, 64)),),
    {},
    lambda checkpoint: Speech(),
)
ROWS = Part(
    "rows",
    (TensorSpec("rows", "float32", (1, "n", 64)),),
    (TensorSpec("y", "float32", (1, "n", 8)),),
    {"n": Axis(2, 50, 7)},
    lambda checkpoint: Products(),
)


def sounds(count: int = 8, size: int = 6, name: str = "sound") -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [{name: rng.standard_normal((1, size, 64)).astype(np.float32)} for _ in range(count)]


@pytest.mark.parametrize("part", [IMAGE, ATTENTION, SPEECH], ids=lambda part: part.name)
@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_every_precision(tmp_path: Path, precision: str, part: Part) -> None:
    feeds = {"image": pictures, "attention": sentences, "speech": sounds}[part.name](8)
    made = export(tmp_path, precision, part, feeds[4:])
    runner = RUNTIME.load(tmp_path / made.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    proven = calls(part, feeds[:4])
    error = part_error(runner, proven)
    assert error <= EXPECTED[precision] <= limit_of(precision)
    assert error > 0 or precision == "fp32"
    for given, expected in proven:
        assert all(value.dtype == expected[name].dtype for name, value in runner(given).items())


@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_an_axis_stays_dynamic(tmp_path: Path, precision: str) -> None:
    made = export(tmp_path, precision, ROWS, sounds(4, 9, "rows"))
    runner = RUNTIME.load(tmp_path / made.file, 1)
    for size in (2, 7, 50):
        assert part_error(runner, calls(ROWS, sounds(1, size, "rows"))) <= EXPECTED[precision]


def test_the_census_of_int8(tmp_path: Path) -> None:
    census = export(tmp_path, "int8", SPEECH, sounds()).census
    forms = {name: layer["form"] for name, layer in census["layers"].items()}
    assert forms == {"lstm.weight_ih_l0": "int8", "lstm.weight_hh_l0": "int8", "out": "int8"}
    assert census["bytes"]["int8"] == 4 * 48 * (64 + 48) + 48 * 64
    assert census["compute"] == "fp16" and census["ios"] == 27
    assert sum(census["operators"].values()) > 10
    size = sum(path.stat().st_size for path in (tmp_path / "speech.aimodel").rglob("*"))
    assert sum(census["bytes"].values()) == size - (0 if size else 1)


def test_int8_that_computes_in_single(tmp_path: Path) -> None:
    made = export(tmp_path, "int8", SPEECH, sounds(), compute="fp32")
    assert made.census["compute"] == "fp32" and made.census["layers"]["out"]["form"] == "int8"
    assert part_error(RUNTIME.load(tmp_path / made.file, 1), calls(SPEECH, sounds(2))) <= EXPECTED["int8"]


def test_layers_that_the_model_keeps_stay_float(tmp_path: Path) -> None:
    layers = export(tmp_path, "int8", replace(SPEECH, float_layers=("out",)), sounds()).census["layers"]
    assert layers["out"] == {"form": "float", "why": "the model says so"}
    assert layers["lstm.weight_ih_l0"]["form"] == "int8"


def test_int8_needs_no_inputs(tmp_path: Path) -> None:
    made = export(tmp_path, "int8")
    assert made.census["layers"]["pointwise"]["form"] == "int8"
    assert part_error(RUNTIME.load(tmp_path / made.file, 1), calls(IMAGE, pictures(2))) <= EXPECTED["int8"]


def test_a_part_that_stays_float_is_fp32(tmp_path: Path) -> None:
    census = export(tmp_path, "int8", replace(IMAGE, quantize=False)).census
    assert census["compute"] == "fp32" and "int8" not in census["bytes"]


def test_the_same_bytes_without_the_day_or_a_path_of_this_machine(tmp_path: Path) -> None:
    """Within a process: Core AI names constants by hashes that others seed anew."""
    for side in "ab":
        export(tmp_path / side, "int8")
    one, other = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / side / "image.aimodel").rglob("*"))}
        for side in "ab"
    )
    assert one == other
    assert not any(word in content for content in one.values() for word in (b"/home/", str(Path.cwd()).encode()))
    assert json.loads(one["metadata.json"])["creationDate"].startswith("1970")


@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_the_module_stays_what_it_was(tmp_path: Path, precision: str) -> None:
    """A model may build it once, for the reference, too."""
    shared = Speech()
    before = {name: tensor.clone() for name, tensor in shared.state_dict().items()}
    export(tmp_path, precision, replace(SPEECH, build=lambda checkpoint: shared), sounds())
    after = shared.state_dict()
    assert list(after) == list(before)
    assert all(after[name].dtype == held.dtype and torch.equal(after[name], held) for name, held in before.items())


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "options"), [("int4", {}), ("fp16", {"form": "palette"}), ("int8", {"compute": "int8"})]
)
def test_what_it_does_not_know(precision: str, options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=r"the coreai exporter('s option compute has no value| has no )"):
        EXPORTER.check_recipe(model(IMAGE), Recipe("coreai", precision, options))


class Strange(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        made: Tensor = torch.linalg.eigvalsh(pixels[0, :, :, 0] @ pixels[0, :, :, 0].T)[:10][None]
        return made


def test_an_operator_that_core_ai_has_not(tmp_path: Path) -> None:
    part = replace(IMAGE, build=lambda checkpoint: Strange())
    with pytest.raises(ExportFailed, match=r"'image' cannot become a Core AI program: .*linalg_eigh"):
        export(tmp_path, part=part)
    assert not any(tmp_path.glob("*.aimodel"))


def test_a_part_that_is_no_module(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="is not a torch module"):
        export(tmp_path, part=replace(IMAGE, build=None))


def test_outputs_that_are_not_declared(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=r"came out as float32 \[1, 10\], declared is float32 \[1, 9\]"):
        export(tmp_path, part=replace(IMAGE, outputs=(TensorSpec("scores", "float32", (1, 9)),)))


def test_an_axis_that_the_module_fixes(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=r"with the dynamic axes 'n'"):
        export(tmp_path, part=replace(ROWS, build=lambda checkpoint: Fixed()))


class Fixed(Products):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows.reshape(1, 7, 64))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coreai_torch", None)
    with pytest.raises(MissingExtra, match="Exporting to Core AI") as caught:
        EXPORTER.require()
    assert "coreai" in caught.value.hint
