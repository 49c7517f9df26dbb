"""Data folders of speech activity: sounds, and the spans in which somebody speaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Sample
from edgekit.errors import BadInput

__all__ = ["samples"]

_SOUNDS = (".flac", ".wav", ".ogg", ".mp3")


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "speech": [[start, end], ...]}, in seconds); without it every sound
    below, without a truth.

    Raises:
        BadInput: another layout, an absent file, or spans that are not in order.
    """
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        sounds = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SOUNDS)
        if not sounds:
            raise BadInput(f"{folder} holds neither a manifest.jsonl nor any sound.", hint="See docs/data.md.")
        return [Sample(str(path), None, path.name) for path in sounds]
    lines = enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1)
    return [_sample(folder, line, f"{manifest}, line {number}") for number, line in lines if line.strip()]


def _sample(folder: Path, line: str, where: str) -> Sample:
    try:
        entry = json.loads(line)
        name, truth = str(entry["audio"]), _spans(entry["speech"])
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput(
            f'{where}: expected {{"audio": ..., "speech": [[start, end], ...]}} with spans in seconds, in order.'
        ) from exc
    if not (folder / name).is_file():
        raise BadInput(f"{where}: there is no file {name!r}.")
    return Sample(str(folder / name), truth, name)


def _spans(value: Any) -> list[tuple[float, float]]:
    spans = [(float(start), float(end)) for start, end in value]
    edges = [edge for span in spans for edge in span]
    if edges != sorted(edges) or any(not 0 <= edge < float("inf") for edge in edges):
        raise ValueError("spans overlap, or lie before the sound")
    return spans
