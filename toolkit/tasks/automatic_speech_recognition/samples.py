"""Data folders of speech recognition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample
from edgekit.tasks.common.manifests import sounds


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "text", "language"}); without it, every sound, without a truth."""
    return sounds(folder, lambda entry: str(entry["text"]), '{"audio": ..., "text": ...}', language="language")
