"""A matrix of the toy model that is measured in a moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgekit.benchmarking import matrix
from edgekit.benchmarking.hosted import Limits

QUICK = Limits(warmups=1, loops=2, seconds=1.0, limit=60.0)


def plan(toy: Any, **changes: Any) -> matrix.Plan:
    made = matrix.Plan(
        models=("toy-speller",),
        targets=("toy-board",),
        precisions=("int8", "fp32", "int3"),
        threads=(1, 2),
        weights={"": str(toy.weights)},
        processes=2,
        limits=QUICK,
    )
    return replace(made, **changes)
