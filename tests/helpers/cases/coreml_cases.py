"""One part as a Core ML package, and parts of one operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from helpers.cases.litert_cases import CHECKPOINT, IMAGE, model
from torch import Tensor, nn

from edgekit.core import Artifact, Feeds, Part, Recipe, TensorSpec
from edgekit.exporters.coreml import EXPORTER

__all__ = ["Lambda", "export", "small_part"]


def export(
    out: Path,
    precision: str = "fp32",
    options: Mapping[str, Any] | None = None,
    *,
    part: Part = IMAGE,
    feeds: Sequence[Feeds] = (),
) -> Artifact:
    (out / "work").mkdir(parents=True, exist_ok=True)
    recipe = Recipe("coreml", precision, options or {})
    [made] = EXPORTER.export(model(part), CHECKPOINT, recipe, {part.name: feeds}, out, out / "work", lambda *_: None)
    return made


class Lambda(nn.Module):
    def __init__(self, function: Any, first: bool = False) -> None:
        super().__init__()
        self.function, self.first = function, first

    def forward(self, x: Tensor) -> Tensor:
        out: Any = self.function(x)
        return out[0] if self.first else out  # type: ignore[no-any-return]


def small_part(function: Any, shape: Sequence[int], out: Sequence[int], *, first: bool = False) -> Part:
    torch.manual_seed(0)
    module = Lambda(function, first)
    return Part(
        "toy", (TensorSpec("x", "float32", tuple(shape)),), (TensorSpec("y", "float32", tuple(out)),), {},
        lambda checkpoint: module,
    )  # fmt: skip
