"""Data folders of speech recognition."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edgekit.core import (
    Sample,
)
from edgekit.errors import BadInput

__all__ = ["samples"]


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "text", "language"}); without it, every sound, without a truth."""
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        sounds = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".flac", ".wav", ".ogg", ".mp3"))
        if not sounds:
            raise BadInput(f"{folder} holds neither a manifest.jsonl nor any sound.", hint="See docs/data.md.")
        return [Sample(str(path), None, path.name) for path in sounds]
    samples = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, text, language = entry["audio"], entry["text"], entry.get("language", "")
        except (ValueError, KeyError, TypeError) as exc:
            raise BadInput(f'{manifest}, line {number}: expected {{"audio": ..., "text": ...}}.') from exc
        if not isinstance(language, str):
            raise BadInput(f'{manifest}, line {number}: a language is a code such as "de", not {language!r}.')
        path = folder / str(name)
        if not path.is_file():
            raise BadInput(f"{manifest}, line {number}: there is no file {name!r}.")
        samples.append(Sample(str(path), str(text), str(name), language.strip().lower()))
    return samples
