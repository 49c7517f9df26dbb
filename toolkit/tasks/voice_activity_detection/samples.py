"""Data folders of speech activity: sounds, and the spans in which somebody speaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Sample
from edgekit.tasks.common.folders import sounds


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "speech": [[start, end], ...]}, in seconds); without it every sound
    below, without a truth.

    Raises:
        BadInput: another layout, an absent file, or spans that are not in order.
    """
    expected = '{"audio": ..., "speech": [[start, end], ...]} with spans in seconds, in order'
    return sounds(folder, lambda entry: _spans(entry["speech"]), expected)


def _spans(value: Any) -> list[tuple[float, float]]:
    spans = [(float(start), float(end)) for start, end in value]
    edges = [edge for span in spans for edge in span]
    if edges != sorted(edges) or any(not 0 <= edge < float("inf") for edge in edges):
        raise ValueError("spans overlap, or lie before the sound")
    return spans
