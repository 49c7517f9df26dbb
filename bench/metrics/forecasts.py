"""Quantile forecasts against what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput


def weighted_quantile_loss(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Weighted quantile loss (Salinas et al. 2020, arXiv:1704.04110): per sample, (twice the pinball loss, averaged
    over the quantiles and summed over the steps; the sum of the truth's sizes). Gaps in the truth do not count.

    Args:
        outputs: mappings with ``levels`` of the quantiles and ``rows``, one a step. truths: a number for each step.

    Raises:
        BadInput: lengths differ, a sample has no truth, or fewer rows than the truth has steps.
    """
    return [_pair(output, truth) for output, truth in side_by_side(outputs, truths)]


def _pair(output: Any, truth: Any) -> Pair:
    if truth is None:
        raise BadInput("a sample has no truth; the quantile loss needs what came.")
    levels, rows = output["levels"], output["rows"]
    if len(rows) < len(truth):
        raise BadInput(f"a forecast has {len(rows)} steps, and the truth {len(truth)}.")
    loss = size = 0.0
    for row, value in zip(rows, truth, strict=False):
        if value is None or not math.isfinite(value):
            continue
        pinball = (
            max(level * (value - quantile), (level - 1) * (value - quantile))
            for level, quantile in zip(levels, row, strict=True)
        )
        loss += 2 * sum(pinball) / len(levels)
        size += abs(value)
    return loss, size
