"""int8 of graphs as transformers' models make them: integer inputs, indices that are sums, dropout, shared inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cases.executorch_cases import export
from helpers.cases.litert_cases import calls
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.numerics.parity import part_error
from edgekit.runtimes.executorch import RUNTIME

pytestmark = pytest.mark.thorough


class Words(nn.Module):
    """A table, positions that are computed, dropout, three products of one input."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.places = nn.Embedding(50, 64), nn.Embedding(20, 64)
        self.norm, self.drop = nn.LayerNorm(64), nn.Dropout(0.1)
        self.q, self.k, self.v, self.out = (nn.Linear(64, 64) for _ in range(4))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1]) + 2
        x = self.drop(self.norm(self.table(tokens) + self.places(places)))
        keep = mask[:, (places - 2) * 1] != 0
        scores = self.q(x) @ self.k(x).transpose(1, 2) / 8
        scores = torch.where(keep[:, None], scores, torch.full_like(scores, -1e4))
        out: Tensor = x + self.out(torch.softmax(scores, -1) @ self.v(x))
        return out


PART = Part(
    "words",
    (TensorSpec("tokens", "int64", (1, 12)), TensorSpec("mask", "int64", (1, 12))),
    (TensorSpec("y", "float32", (1, 12, 64)),),
    {},
    lambda checkpoint: Words(),
)


def sentences(count: int = 10) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        {"tokens": rng.integers(0, 50, (1, 12)), "mask": (np.arange(12) < 5 + i % 7).astype(np.int64)[None]}
        for i in range(count)
    ]


@pytest.mark.parametrize("form", ["dynamic", "static"])
def test_integers_stay_integers_in_int8(tmp_path: Path, form: str) -> None:
    made = export(tmp_path, "int8", PART, sentences(), form=form)
    assert {layer["form"] for layer in made.census["layers"].values()} == {form}
    error = part_error(RUNTIME.load(tmp_path / "out" / made.file, 1), calls(PART, sentences(3)))
    assert 0 < error < 0.05


def test_both_forms_are_possible(tmp_path: Path) -> None:
    choice = export(tmp_path, "int8", PART, sentences()).census["choice"]
    assert choice["impossible"] == {}
    assert {name.split()[0] for name in choice["errors"]} >= {"static", "dynamic"}
