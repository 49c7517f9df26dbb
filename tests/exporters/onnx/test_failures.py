"""What the ONNX exporter and its runner refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.onnx_cases import ATTENTION, VOCABULARY, export, feeds, part
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.errors import BadInput, EdgekitError, ExportFailed
from edgekit.numerics.parity import part_error
from edgekit.runtimes.onnxruntime import RUNTIME
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import TorchRunner

# --- fp16 ------------------------------------------------------------------------------------------------------------


def test_what_half_precision_cannot_hold_stays_single(tmp_path: Path) -> None:
    class Large(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.small, self.large = nn.Linear(128, 128), nn.Linear(128, 32)
            with torch.no_grad():
                self.large.weight[0, 0] = 1e5

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.large(self.small(x))
            return out

    outputs = (TensorSpec("y", "float32", (1, "time", 32)),)
    given = Part("large", ATTENTION.inputs, outputs, ATTENTION.axes, lambda checkpoint: Large())
    census = export(tmp_path, "fp16", given=given, calibration=[]).census
    assert census["bytes"]["float16"] == 2 * 128 * 128
    x = np.random.default_rng(0).standard_normal((1, 50, 128)).astype(np.float32)
    runner = RUNTIME.load(tmp_path / "large.onnx", 1)
    assert part_error(runner, [({"x": x}, TorchRunner(given, Large())({"x": x}))]) < 1e-3


# --- failures --------------------------------------------------------------------------------------------------------


class Untraceable(nn.Module):
    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        if sound.sum() > 0:
            return sound, tokens
        return tokens, sound


class Broken(nn.Module):
    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        raise ValueError("first line\nsecond line")


class OneOutput(nn.Module):
    def forward(self, sound: Tensor, tokens: Tensor) -> Tensor:
        return sound * 2 + tokens.sum()


class Fixed(nn.Module):
    """Takes only the example's length."""

    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return sound.reshape(1, 40, 4) * 2, tokens * 1.0


class Integers(nn.Module):
    """Gives another dtype than declared."""

    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return sound.transpose(1, 2).to(torch.float64), tokens[..., None].repeat(1, 1, VOCABULARY) * 1.0


@pytest.mark.parametrize("module", [Untraceable, Broken, OneOutput, Fixed, Integers])
def test_a_module_that_cannot_be_exported(tmp_path: Path, module: type[nn.Module]) -> None:
    outputs = (TensorSpec("features", "float32", (1, "time", 4)), part().outputs[1])
    with pytest.raises(ExportFailed, match="toy") as caught:
        export(tmp_path, given=part(lambda checkpoint: module(), outputs=outputs))
    assert "\n" not in caught.value.message
    assert not (tmp_path / "toy.onnx").exists()


def test_a_part_without_a_module(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="not a torch graph"):
        export(tmp_path, given=part(None))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    export(folder)
    return folder / "toy.onnx"


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "absent", "folder", "other"])
def test_a_file_that_is_no_model(tmp_path: Path, good: Path, damage: str) -> None:
    file = tmp_path / "toy.onnx"
    if damage == "folder":
        file.mkdir()
    elif damage != "absent":
        whole = good.read_bytes()
        contents = {"empty": b"", "garbage": bytes(range(256)) * 20, "truncated": whole[: len(whole) // 2]}
        file.write_bytes(contents.get(damage, b"RIFF" + whole[4:]))
    with pytest.raises(BadInput, match=r"refuses toy\.onnx") as caught:
        RUNTIME.load(file, 1)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"sound": None},
        {"tokens": None},
        {"other": np.zeros(1, np.float32)},
        {"sound": np.zeros((1, 4, 60), np.float64)},
        {"sound": np.zeros((1, 4, 60), np.int32)},
        {"tokens": np.zeros((1, 1), np.float32)},
        {"sound": np.zeros((1, 60), np.float32)},
        {"sound": np.zeros((2, 4, 60), np.float32)},
        {"sound": np.zeros((1, 5, 60), np.float32)},
        {"tokens": np.full((1, 1), VOCABULARY)},
        {"sound": "text"},
        {"sound": [[[0.0]]]},
    ],
)
def test_wrong_feeds(good: Path, change: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**feeds(), **change}.items() if value is not None}
    runner = RUNTIME.load(good, 1)
    with pytest.raises(BadInput) as caught:
        runner(wrong)
    assert "\n" not in caught.value.message
    assert runner(feeds())["scores"].shape == (1, 1, VOCABULARY)


def test_every_error_is_ours(good: Path) -> None:
    assert issubclass(BadInput, EdgekitError)
    with pytest.raises(BadInput):
        OnnxRunner(b"", 1)
