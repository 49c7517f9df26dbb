"""A small network in both kinds of layers, and its export to ONNX, for the tests of that exporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from helpers.toys.bare import bare_model
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import (
    Artifact,
    Axis,
    Checkpoint,
    Exporter,
    Feeds,
    Part,
    TensorSpec,
)
from edgekit.exporters.onnx import EXPORTER
from edgekit.runtimes.resolved import recipe_of, runtime_for

CHECKPOINT = Checkpoint(Path("toy"), "toy", {}, {}, {})
REPO = Path(__file__).parents[3]
VOCABULARY, WIDTH = 300, 128


class Toy(nn.Module):
    """A convolution, two linears, an embedding that is also the output projection. Dropout must be off in a file."""

    def __init__(self, width: int = WIDTH, hidden: int = 256) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.table = nn.Parameter(torch.randn(VOCABULARY, width) * 0.3)
        self.conv = nn.Conv1d(4, width, 3, padding=1)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.drop = nn.Dropout(0.5)

    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv(sound).transpose(1, 2)
        x = x + self.drop(self.down(F.gelu(self.up(x))))
        scores = F.linear(F.embedding(tokens, self.table) + x.mean(1, keepdim=True), self.table)
        return x, scores


def part(build: Any = Toy, width: int = WIDTH, **changes: Any) -> Part:
    fields: dict[str, Any] = {
        "name": "toy",
        "inputs": (TensorSpec("sound", "float32", (1, 4, "time")), TensorSpec("tokens", "int64", ("rows", "new"))),
        "outputs": (
            TensorSpec("features", "float32", (1, "time", width)),
            TensorSpec("scores", "float32", ("rows", "new", VOCABULARY)),
        ),
        "axes": {"time": Axis(1, 5000, 40), "rows": Axis(1, 8, 3), "new": Axis(1, 50, 5)},
        "build": (lambda checkpoint: Toy(width)) if build is Toy else build,
    }
    return Part(**{**fields, **changes})


model = bare_model


def feeds(time: int = 60, rows: int = 1, new: int = 1, seed: int = 0) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {
        "sound": rng.standard_normal((1, 4, time)).astype(np.float32),
        "tokens": rng.integers(0, VOCABULARY, (rows, new)),
    }


CALIBRATION: list[Feeds] = [feeds(seed=i) for i in range(3)]


#: The toy's traced graph, which most tests share: tracing takes a second, and a file in `work` is not made again.
_TRACED: list[bytes] = []


def export(
    out: Path,
    precision: str = "fp32",
    *,
    given: Part | None = None,
    options: Mapping[str, Any] | None = None,
    calibration: Sequence[Feeds] = CALIBRATION,
    exporter: Exporter = EXPORTER,
    fresh: bool = False,
    runtime: str = "",
) -> Artifact:
    work = out / "work"
    work.mkdir(parents=True)
    recipe = recipe_of(runtime or runtime_for(exporter.name), precision, options)
    shared = given is None and not fresh
    if shared and _TRACED:
        (work / "toy.fp32.onnx").write_bytes(_TRACED[0])
    given = given or part()
    made = exporter.export(
        model(given), CHECKPOINT, recipe, {given.name: calibration}, out, work, lambda what, done, total: None
    )
    assert [artifact.part for artifact in made] == [given.name]
    if shared and not _TRACED and (work / "toy.fp32.onnx").exists():
        _TRACED.append((work / "toy.fp32.onnx").read_bytes())
    return made[0]


class Attention(nn.Module):
    """Products of two activations, one of them transposed: no weights in them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.qkv, self.out = nn.Linear(128, 384), nn.Linear(128, 128)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).split(128, dim=-1)
        out: Tensor = self.out(torch.softmax(q @ k.transpose(-1, -2), -1) @ v)
        return out


ATTENTION = Part(
    "attention",
    (TensorSpec("x", "float32", (1, "time", 128)),),
    (TensorSpec("y", "float32", (1, "time", 128)),),
    {"time": Axis(1, 500, 40)},
    lambda checkpoint: Attention(),
)
