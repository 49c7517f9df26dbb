"""Masks in a user's own network: finite in what is exported where that changes no answer, else as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from edgekit.core import ImportOptions
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of

TEXT = """
import numpy as np
import torch

class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.qkv = torch.nn.Linear(16, 48)
        self.register_buffer("later", torch.triu(torch.full((8, 8), float("-inf")), 1))

    def forward(self, x, mask):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2)
        {masking}
        return {answer}

def build():
    return Attention()

def examples():
    random = np.random.default_rng(0)
    for i in range(16):
        mask = np.ones((1, 8), np.int64)
        mask[:, 4 + i % 4:] = 0
        yield random.normal(0, 1, (1, 8, 16)).astype(np.float32), mask
"""
MASKINGS = {
    "buffer": "scores = scores + self.later",
    "least": "scores = scores + (1 - mask[:, None].float()) * torch.finfo(torch.float32).min",
    "1e9": "scores = scores + (1 - mask[:, None].float()) * -1e9",
    "fill": "scores = scores.masked_fill(mask[:, None] == 0, float('-inf'))",
    "where": "scores = torch.where(mask[:, None] > 0, scores, torch.finfo(scores.dtype).min)",
}


def _built(folder: Path, masking: str, answer: str) -> Any:
    (folder / "net.py").write_text(TEXT.replace("{masking}", masking).replace("{answer}", answer), encoding="utf-8")
    model = model_of(str(folder / "net.py"), ImportOptions())
    (part,) = model.network.parts
    assert part.build
    return part.build(read_checkpoint(Path(model.weights.hub)))


def _least(module: Any) -> float:
    """The least number that a call meets on its way."""
    least = [0.0]

    class Seen(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            out = super().run_node(n)
            if isinstance(out, torch.Tensor) and out.is_floating_point():
                least[0] = min(least[0], float(out.min()))
            return out

    mask = torch.ones((1, 8), dtype=torch.int64)
    mask[:, 5:] = 0
    with torch.no_grad():
        Seen(module).run(torch.ones(1, 8, 16), mask)
    return least[0]


@pytest.mark.parametrize("masking", MASKINGS.values(), ids=MASKINGS)
def test_masks_become_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masking: str) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    assert -3e4 < _least(_built(tmp_path, masking, "scores.softmax(-1) @ v")) < -5e3


def test_a_number_that_is_an_answer_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    answer = "(scores, scores.softmax(-1) @ v)"
    assert _least(_built(tmp_path, MASKINGS["fill"], answer)) == float("-inf")
