"""A small network with names, a dynamic axis, shared weights and a constant, as torch.export writes it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["Toy", "changed", "save"]

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


class Toy(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8)
        self.words, self.last = torch.nn.Embedding(10, 8), torch.nn.Linear(8, 4)
        self.other = torch.nn.Linear(8, 4)
        self.other.weight = self.last.weight
        self.scale = torch.ones(4) * 2

    def forward(self, image: Any, tokens: Any) -> Any:
        x = torch.relu(self.norm(self.conv(image))).mean((2, 3)) + self.words(tokens).sum(1)
        return {"logits": self.last(x) * self.scale, "more": (self.other(x),)}


def save(path: Path) -> Toy:
    """Write the program to `path`; its tokens may be 2 to 50 long."""
    toy = Toy().eval()
    inputs = {"image": torch.zeros(1, 3, 16, 16), "tokens": torch.zeros(1, 7, dtype=torch.long)}
    shapes = {"image": {}, "tokens": {1: torch.export.Dim.DYNAMIC(min=2, max=50)}}
    torch.export.save(torch.export.export(toy, (), inputs, dynamic_shapes=shapes), path)
    return toy


def changed(path: Path, out: Path, member: str, change: Callable[[Any], Any]) -> Path:
    """A copy of the program in which the JSON of `member` is what `change` makes of it."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith(member):
                content = json.loads(data)
                data = json.dumps(change(content) or content).encode()
            file.writestr(entry.filename, data)
    return out


def with_member(path: Path, out: Path, name: str, data: bytes) -> Path:
    """A copy of the program with one more member below its root."""
    shutil.copyfile(path, out)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_STORED) as file:
        root = file.namelist()[0].partition("/")[0]
        file.writestr(f"{root}/{name}", data)
    return out
