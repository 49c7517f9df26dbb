"""Notes as a piano roll."""

from __future__ import annotations

from typing import Any

from edgekit.core import Prediction

#: Semitones above and below the notes, and the least that are shown.
_AROUND, _LEAST = 2, 12


def draw_prediction(prediction: Prediction) -> Any:
    """A bar for each note, over seconds and MIDI pitches: a PIL image."""
    from edgekit.tasks.common.drawing import Axes

    notes = prediction.details["events"]
    pitches = [note["pitch"] for note in notes] or [60]
    low = min(pitches) - _AROUND
    high = max(max(pitches) + _AROUND, low + _LEAST)
    axes = Axes((0.0, prediction.details["seconds"]), (low, high), ("seconds", "MIDI pitch (60 is middle C)"))
    for note in notes:
        axes.bar((note["start"], note["end"]), (note["pitch"] - 0.4, note["pitch"] + 0.4), number=note["pitch"] % 6)
    return axes.image
