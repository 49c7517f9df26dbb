"""Graphs that converters write and that the quantizer, or LiteRT, does not take as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.litert_cases import calls, export, graph
from torch import Tensor, nn

from edgekit.core import Axis, Feeds, Part, TensorSpec
from edgekit.errors import ExportFailed, Unsupported
from edgekit.numerics.parity import LIMITS, part_error
from edgekit.runtimes.litert import RUNTIME

SPEC = TensorSpec("x", "float32", (1, 3, 16, 16))


def images(count: int = 12) -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [{"x": rng.standard_normal(SPEC.shape).astype(np.float32)} for _ in range(count)]


def of(module: nn.Module, classes: int = 5, *specs: TensorSpec) -> Part:
    return Part("strange", specs or (SPEC,), (TensorSpec("y", "float32", (1, classes)),), {}, lambda _: module.eval())


class Scaled(nn.Module):
    """ConvNeXt's block: a learned scale behind a product of an image with matrices."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.wide, self.narrow = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 32), nn.Linear(32, 8)
        self.scale, self.head = nn.Parameter(torch.rand(8) + 0.5), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        out: Tensor = self.head((x + self.narrow(torch.relu(self.wide(x))) * self.scale).mean((1, 2)))
        return out


class Pooled(nn.Module):
    """ResNet's stem: a maximum over a padded image, whose padding is minus infinity."""

    def __init__(self, *, clipped: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU() if clipped else nn.Identity())
        self.pool, self.head = nn.MaxPool2d(3, 2, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.pool(self.first(x)).mean((2, 3)))
        return out


@pytest.mark.parametrize(
    "module", [Scaled(), Pooled(clipped=True), Pooled(clipped=False)], ids=["scale", "relu", "pad"]
)
def test_the_static_form_runs(tmp_path: Path, module: nn.Module) -> None:
    part = of(module)
    artifact = export(tmp_path, "int8", {"form": "static"}, part=part, calibration=images())
    runner = RUNTIME.load(tmp_path / "strange.tflite", 1)
    assert part_error(runner, calls(part, images(4))) <= LIMITS["int8"] / 3
    assert {layer["form"] for layer in artifact.census["layers"].values()} == {"static"}
    assert all(
        len(tensor.shape) == 1 for tensor in graph(tmp_path, "strange").subgraphs[0].tensors if "bias" in tensor.name
    )


class Masked(nn.Module):
    """Scores that are masked with the least float32."""

    def __init__(self, value: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.out, self.value = nn.Linear(8, 8), nn.Linear(8, 5), value

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.table(x)
        scores = x @ x.transpose(1, 2) + ((1 - mask) * self.value)[:, None]
        out: Tensor = self.out((scores.softmax(-1) @ x).mean(1))
        return out


def _masked() -> tuple[Part, list[dict[str, Any]]]:
    rng = np.random.default_rng(0)
    part = of(
        Masked(torch.finfo(torch.float32).min),
        5,
        TensorSpec("x", "float32", (1, 6, 8)),
        TensorSpec("mask", "float32", (1, 6)),
    )
    mask = np.array([[1, 1, 1, 1, 0, 0]], np.float32)
    return part, [{"x": rng.standard_normal((1, 6, 8)).astype(np.float32), "mask": mask} for _ in range(12)]


def test_a_range_that_no_int8_holds_is_a_typed_error(tmp_path: Path) -> None:
    part, feeds = _masked()
    with pytest.raises(ExportFailed, match=r"reaches -3\.4"):
        export(tmp_path, "int8", {"form": "static"}, part=part, calibration=feeds)


def test_another_form_is_chosen_then(tmp_path: Path) -> None:
    part, feeds = _masked()
    artifact = export(tmp_path, "int8", part=part, calibration=feeds)
    assert artifact.census["choice"]["form"] == "dynamic"
    assert "reaches -3.4" in artifact.census["choice"]["impossible"]["static"]


class Reader(nn.Module):
    """A small transformer over tokens: rows of positions by length, attention, a mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.places = nn.Embedding(50, 24), nn.Embedding(40, 24)
        self.query, self.key, self.value, self.head = (nn.Linear(24, 24) for _ in range(4))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.places.weight[: ids.shape[1]]
        query, key, value = (
            layer(x).reshape(1, -1, 3, 8).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        mixed = ((query @ key.transpose(2, 3)).softmax(3) @ value).transpose(1, 2).flatten(2)
        out: Tensor = self.head(x + mixed).mean(1)
        return out


class Turning(nn.Module):
    """What it multiplies with is another at every length."""

    def forward(self, ids: Tensor) -> Tensor:
        x = ids.to(torch.float32)
        angles = torch.arange(x.shape[1], dtype=torch.float32) / x.shape[1]
        return (x * angles.cos()).sum(1, keepdim=True)


class Pooling(nn.Module):
    """A mean over a window that is as long as the text: the length is an option of an operator."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(50, 24)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids).transpose(1, 2)[:, :, None, :]
        out: Tensor = nn.functional.avg_pool2d(x, (1, ids.shape[1])).flatten(1)
        return out


def of_tokens(module: nn.Module, width: int, **padded: int) -> Part:
    axes = {"tokens": Axis(2, 40, 12, padded=padded)}
    ids, y = TensorSpec("ids", "int64", (1, "tokens")), TensorSpec("y", "float32", (1, width))
    return Part("strange", (ids,), (y,), axes, lambda _: module.eval())


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_axis_that_may_be_padded_stays_free(tmp_path: Path, precision: str) -> None:
    """One file answers at every length as torch does, with all positions; int8 within what it may be off."""
    rng, module = np.random.default_rng(1), Reader().eval()
    feeds: list[Feeds] = [{"ids": rng.integers(0, 50, (1, int(n)))} for n in rng.integers(2, 41, 16)]
    options = {"form": "dynamic"} if precision == "int8" else {}
    artifact = export(tmp_path, precision, options, part=of_tokens(module, 24, ids=0), calibration=feeds)
    runner = RUNTIME.load(tmp_path / artifact.file, 1)
    for count in (2, 7, 39, 40, 3):
        ids = rng.integers(0, 50, (1, count))
        wanted, found = module(torch.from_numpy(ids)).detach().numpy(), runner({"ids": ids})["y"]
        assert np.linalg.norm(found - wanted) < {"fp32": 1e-5, "int8": 0.1}[precision] * np.linalg.norm(wanted)


def test_what_is_another_at_every_length_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="of every size's own"):
        export(tmp_path, part=of_tokens(Turning(), 1, ids=0))


def test_what_an_option_says_of_a_length_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="other options of one"):
        export(tmp_path, part=of_tokens(Pooling(), 24, ids=0))


@pytest.mark.parametrize("most", [2, 3])
def test_an_axis_of_too_few_sizes_is_told(tmp_path: Path, most: int) -> None:
    part = of_tokens(Reader(), 24, ids=0)
    axis = Axis(2, most, most, padded={"ids": 0})
    with pytest.raises(ExportFailed, match="too few sizes"):
        export(tmp_path, part=replace(part, axes={"tokens": axis}))


def test_an_axis_that_may_not_be_padded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="cannot keep the axis 'tokens'"):
        export(tmp_path, part=of_tokens(Reader(), 24))
