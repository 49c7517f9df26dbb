"""Voice activity detection: when somebody speaks in a sound.

Other modules cut sounds with it: `Listener` gives a probability for each frame, `segments` makes spans of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Evaluation, Prediction, Predictor, Runner, Sample, Task
from edgekit.tasks.evidence.pauses import PAUSES
from edgekit.tasks.voice_activity_detection.agreement import AGREEMENT
from edgekit.tasks.voice_activity_detection.listener import Listener
from edgekit.tasks.voice_activity_detection.segments import Rules, Span, segments

__all__ = ["TASK", "Listener", "Rules", "Span", "segments"]


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.voice_activity_detection.samples import samples

    return samples(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.voice_activity_detection.detector import SpeechDetector

    return SpeechDetector(parts, folder, facts)


def _show(sample: Any, prediction: Prediction) -> Any:
    from edgekit.tasks.voice_activity_detection.drawn import draw_prediction

    return draw_prediction(prediction)


TASK = Task(
    "voice-activity-detection",
    "sound",
    "answers",
    _samples,
    _predictor,
    metric="frame-error",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no error rate is known that would be too high; its loss is judged.
    evaluation=Evaluation("frame-error", worst=None, drop=0.005, minimum=20),
    evidence=PAUSES,
    agreement=AGREEMENT,
    show=_show,
)
