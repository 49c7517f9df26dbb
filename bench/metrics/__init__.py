"""Accuracy metrics by name."""

from edgekit.bench.metrics.table import (
    METRICS,
    Metric,
    Score,
    accuracy,
    add,
    aggregate,
    cer,
    difference,
    find,
    format_value,
    score,
    top5,
    wer,
)

__all__ = [
    "METRICS",
    "Metric",
    "Score",
    "accuracy",
    "add",
    "aggregate",
    "cer",
    "difference",
    "find",
    "format_value",
    "score",
    "top5",
    "wer",
]
