"""Small networks and their export to LiteRT, for the tests of that exporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers.toys.bare import bare_model
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import (
    Artifact,
    Checkpoint,
    Feeds,
    Part,
    Recipe,
    TensorSpec,
)
from edgekit.exporters.litert import EXPORTER
from edgekit.formats.tflite import reader
from edgekit.runtimes.torch.runner import TorchRunner

CHECKPOINT = Checkpoint(Path("toy"), "toy", {}, {}, {})
REPO = Path(__file__).parents[3]
CLASSES = 10


class Image(nn.Module):
    """A small image network that takes NHWC: convolutions of three kinds, a sum, a mean, a classifier."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)
        self.drop = nn.Dropout(0.5)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        x = torch.relu(self.stem(pixels.permute(0, 3, 1, 2)))
        x = x + self.pointwise(nn.functional.relu6(self.depthwise(x)))
        out: Tensor = self.classifier(self.drop(x.mean((2, 3))))
        return out


PIXELS = (TensorSpec("pixels", "float32", (1, 16, 16, 3)),)
SCORES = (TensorSpec("scores", "float32", (1, CLASSES)),)
IMAGE = Part("image", PIXELS, SCORES, {}, lambda checkpoint: Image())
LAYERS = {"stem", "depthwise", "pointwise", "classifier"}


def pictures(count: int = 24, size: int = 16) -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [{"pixels": rng.uniform(-1, 1, (1, size, size, 3)).astype(np.float32)} for _ in range(count)]


class Attention(nn.Module):
    """Products with weights and of activations, an embedding, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(50, 64)
        self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)

    def forward(self, tokens: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.table(tokens) + sound
        q, k, v = self.qkv(x).split(64, dim=-1)
        return self.out(torch.softmax(q @ k.transpose(-1, -2) / 8, -1) @ v), x.mean(1)


ATTENTION = Part(
    "attention",
    (TensorSpec("tokens", "int64", (1, 12)), TensorSpec("sound", "float32", (1, 12, 64))),
    (TensorSpec("y", "float32", (1, 12, 64)), TensorSpec("middle", "float32", (1, 64))),
    {},
    lambda checkpoint: Attention(),
)


def sentences(count: int = 12) -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [
        {"tokens": rng.integers(0, 50, (1, 12)), "sound": rng.standard_normal((1, 12, 64)).astype(np.float32)}
        for _ in range(count)
    ]


model = bare_model


#: Converted parts, which many tests share: a file in `work` is not made again.
_CONVERTED: dict[str, bytes] = {}


def export(
    out: Path,
    precision: str = "fp32",
    options: Mapping[str, Any] | None = None,
    *,
    part: Part = IMAGE,
    calibration: Sequence[Feeds] | None = None,
    checkpoint: Checkpoint = CHECKPOINT,
) -> Artifact:
    work = out / "work"
    work.mkdir(parents=True)
    shared = part in (IMAGE, ATTENTION)
    if shared and part.name in _CONVERTED:
        (work / f"{part.name}.fp32.tflite").write_bytes(_CONVERTED[part.name])
    feeds = {"image": pictures, "attention": sentences}.get(part.name, list)() if calibration is None else calibration
    recipe = Recipe("litert", precision, options or {})
    made = EXPORTER.export(model(part), checkpoint, recipe, {part.name: feeds}, out, work, lambda *_: None)
    assert [artifact.part for artifact in made] == [part.name]
    if shared:
        _CONVERTED[part.name] = (work / f"{part.name}.fp32.tflite").read_bytes()
    return made[0]


def calls(part: Part, feeds: Sequence[Feeds]) -> list[tuple[Feeds, Mapping[str, NDArray[Any]]]]:
    assert part.build
    reference = TorchRunner(part, part.build(CHECKPOINT))
    return [(feed, reference(feed)) for feed in feeds]


def graph(out: Path, name: str = "image") -> reader.Graph:
    return reader.read((out / f"{name}.tflite").read_bytes())
