"""Data folders of text in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Facts, Sample
from edgekit.tasks.common.folders import manifest_samples, plain_samples
from edgekit.tasks.common.pictures import images_below


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"image", "text"}, paths relative to the folder); without it every picture below,
    without a truth.

    Raises:
        BadInput: another layout, or an absent file.
    """
    if not (folder / "manifest.jsonl").is_file():
        return plain_samples(images_below(folder), folder, "neither a manifest.jsonl nor any picture")
    return manifest_samples(folder, "image", _text, '{"image": ..., "text": ...}')


def _text(entry: Facts) -> str:
    if not isinstance(entry["image"], str) or not isinstance(entry["text"], str):
        raise TypeError("both are texts")
    return str(entry["text"])
