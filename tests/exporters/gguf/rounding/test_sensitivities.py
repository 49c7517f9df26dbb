"""What a loss of a kind of matrix costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from edgekit.exporters.gguf.rounding.sensitivities import kinds_of, sensitivities

COSTS = {"token_embd": 16.0, "attn_q": 0.5, "ffn_down": 0.0}
NAMES = ["token_embd.weight", *(f"blk.{i}.{kind}.weight" for i in range(12) for kind in ("attn_q", "ffn_down"))]
LOSSES = {name: 0.001 * (1 + i % 3) for i, name in enumerate(NAMES)}


def silent(what: str, done: int, total: int) -> None:
    pass


class Additive:
    """Answers that move by the sum of what each matrix in few bits costs, and by eight bits alone."""

    def __init__(self) -> None:
        self.remembered = 0

    def remember(self, threads: int) -> None:
        self.remembered += 1

    def divergence(self, types: Mapping[str, str], threads: int) -> float:
        kinds = {name: kind for kind, names in kinds_of(types).items() for name in names}
        return 0.003 + sum(LOSSES[name] * COSTS[kinds[name]] for name, kind in types.items() if kind == "iq4_nl")


def test_a_kind_is_all_of_its_layers() -> None:
    assert {kind: len(names) for kind, names in kinds_of(NAMES).items()} == {
        "token_embd": 1,
        "attn_q": 12,
        "ffn_down": 12,
    }
    assert kinds_of(["blk.3.attn_q.weight"]) == {"attn_q": ["blk.3.attn_q.weight"]}


def test_costs_are_those_of_the_trials_and_never_nothing() -> None:
    trial: Any = Additive()
    found = sensitivities(trial, dict.fromkeys(NAMES, "iq4_nl"), LOSSES, 1, silent)
    assert trial.remembered == 1
    assert found.keys() == set(NAMES)
    assert found["token_embd.weight"] == pytest.approx(16)
    assert found["blk.7.attn_q.weight"] == pytest.approx(0.5)
    assert 0 < found["blk.7.ffn_down.weight"] < 0.1
