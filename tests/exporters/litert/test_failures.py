"""What the LiteRT exporter and its runner refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.litert_cases import ATTENTION, CLASSES, PIXELS, SCORES, export, pictures, sentences
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.errors import BadInput, ExportFailed
from edgekit.exporters.litert import file as file_module
from edgekit.exporters.litert import int8
from edgekit.exporters.litert.wish import Wish
from edgekit.quantization.plan import Plan
from edgekit.runtimes.litert import RUNTIME

# --- failures --------------------------------------------------------------------------------------------------------


class Untraceable(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels if pixels.sum() > 0 else pixels + 1


class Broken(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        raise ValueError("first line\nsecond line")


class TwoOutputs(nn.Module):
    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels * 2, pixels + 1


class Other(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels * 3).to(torch.int32)


class NoLowering(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return torch.linalg.svd(pixels)[1]


@pytest.mark.parametrize("module", [Untraceable, Broken, TwoOutputs, Other, NoLowering])
def test_a_module_that_cannot_be_exported(tmp_path: Path, module: type[nn.Module]) -> None:
    same = (TensorSpec("y", "float32", (1, 16, 16, 3)),)
    with pytest.raises(ExportFailed, match="toy") as caught:
        export(tmp_path, part=Part("toy", PIXELS, same, {}, lambda checkpoint: module()))
    assert "\n" not in caught.value.message
    assert not list(tmp_path.glob("*.tflite"))
    if module is NoLowering:
        assert "aten._linalg_svd" in caught.value.message


@pytest.mark.parametrize("build", [None, lambda checkpoint: object()])
def test_a_part_without_a_module(tmp_path: Path, build: Any) -> None:
    part = Part("frontend", PIXELS, SCORES, {}, build, kind="mfcc")
    with pytest.raises(ExportFailed, match=r"'frontend' \(mfcc\) is not a torch module"):
        export(tmp_path, part=part)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    export(folder, "int8", {"io": "int8"})
    return folder / "image.tflite"


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "absent", "folder", "other"])
def test_a_file_that_is_no_model(tmp_path: Path, good: Path, damage: str) -> None:
    file = tmp_path / "image.tflite"
    if damage == "folder":
        file.mkdir()
    elif damage != "absent":
        whole = good.read_bytes()
        contents = {"empty": b"", "garbage": bytes(range(256)) * 20, "truncated": whole[: len(whole) // 2]}
        file.write_bytes(contents.get(damage, b"RIFFRIFF" + whole[8:]))
    with pytest.raises(BadInput, match=r"refuses image\.tflite") as caught:
        RUNTIME.load(file, 1)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", '{"inputs": []}', '{"inputs": [{"name": 1}], "outputs": []}'])
def test_a_description_that_cannot_be_read(tmp_path: Path, good: Path, text: str) -> None:
    (tmp_path / "image.tflite").write_bytes(good.read_bytes())
    (tmp_path / "image.json").write_text(text)
    with pytest.raises(BadInput, match=r"image\.json"):
        RUNTIME.load(tmp_path / "image.tflite", 1)


def test_a_file_without_a_description_has_its_own_names(tmp_path: Path, good: Path) -> None:
    (tmp_path / "image.tflite").write_bytes(good.read_bytes())
    runner = RUNTIME.load(tmp_path / "image.tflite", 1)
    assert [(s.name, s.dtype) for s in (*runner.inputs, *runner.outputs)] == [("pixels", "int8"), ("scores", "int8")]


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": None},
        {"other": np.zeros(1, np.float32)},
        {"pixels": np.zeros((1, 16, 16, 3), np.float64)},
        {"pixels": np.zeros((1, 16, 16, 3), np.int8)},
        {"pixels": np.full((1, 16, 16, 3), np.nan, np.float32)},
        {"pixels": np.zeros((16, 16, 3), np.float32)},
        {"pixels": np.zeros((2, 16, 16, 3), np.float32)},
        {"pixels": "text"},
        {"pixels": [[0.0]]},
    ],
)
def test_wrong_feeds(good: Path, change: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**pictures(1)[0], **change}.items() if value is not None}
    runner = RUNTIME.load(good, 1)
    with pytest.raises(BadInput) as caught:
        runner(wrong)
    assert "\n" not in caught.value.message
    assert runner(pictures(1)[0])["scores"].shape == (1, CLASSES)


def test_a_value_that_the_file_cannot_hold(tmp_path: Path) -> None:
    export(tmp_path, part=ATTENTION)
    runner = RUNTIME.load(tmp_path / "attention.tflite", 1)
    feed = sentences(1)[0]
    with pytest.raises(BadInput, match="int32 cannot hold"):
        runner({**feed, "tokens": np.full((1, 12), 1 << 40)})
    assert runner(feed)["y"].shape == (1, 12, 64)


def test_a_quantizer_that_fails_is_ours_to_say(tmp_path: Path) -> None:
    export(tmp_path)
    content = (tmp_path / "work" / "image.fp32.tflite").read_bytes()
    with pytest.raises(ExportFailed, match="could not quantize the part 'toy'"):
        int8.quantize_model(content, Plan("static", "min-max"), Wish(), {}, "toy")


def test_names_of_modules() -> None:
    assert (
        file_module.schema_module(b"pkg.Net/pkg.Sequential_blocks/a.b.Conv2d_0;;pkg.Net/torch.nn.Conv2d_conv_dw;1")
        == "conv_dw"
    )
    assert file_module.schema_module("serving_default_output_0_output") == ""
    assert file_module.schema_module("functional_1/dense_1/MatMul") == "dense_1/MatMul"
