"""Data folders of music: sounds, and the notes that are played in them."""

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
    """Samples of ``manifest.jsonl`` ({"audio", "notes": [[start, end, pitch], ...]}, in seconds and MIDI pitches);
    without it every sound below, without a truth.

    Raises:
        BadInput: another layout, or an absent file.
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
        name, notes = str(entry["audio"]), [_note(*note) for note in entry["notes"]]
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput(
            f'{where}: expected {{"audio": ..., "notes": [[start, end, pitch], ...]}}, in seconds and MIDI pitches.'
        ) from exc
    if not (folder / name).is_file():
        raise BadInput(f"{where}: there is no file {name!r}.")
    return Sample(str(folder / name), notes, name)


def _note(start: float, end: float, pitch: int) -> dict[str, Any]:
    if not 0 <= float(start) <= float(end) or not 0 <= int(pitch) <= 127:
        raise ValueError("no note")
    return {"start": float(start), "end": float(end), "pitch": int(pitch)}
