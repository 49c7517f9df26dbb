"""Speech recognition: from a sound to a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample, Task


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.automatic_speech_recognition.samples import samples

    return samples(folder)


TASK = Task("automatic-speech-recognition", "sound", "answers", _samples, metric="wer")
