"""Data folders of music: sounds, and the notes that are played in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample
from edgekit.tasks.automatic_music_transcription.notes import Note
from edgekit.tasks.common.folders import sounds


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "notes": [[start, end, pitch], ...]}, in seconds and MIDI pitches);
    without it every sound below, without a truth.

    Raises:
        BadInput: another layout, or an absent file.
    """
    expected = '{"audio": ..., "notes": [[start, end, pitch], ...]}, in seconds and MIDI pitches'
    return sounds(folder, lambda entry: [_note(*note) for note in entry["notes"]], expected)


def _note(start: float, end: float, pitch: int) -> Note:
    if not 0 <= float(start) <= float(end) or not 0 <= int(pitch) <= 127:
        raise ValueError("no note")
    return {"start": float(start), "end": float(end), "pitch": int(pitch)}
