"""Voice activity detection: when somebody speaks in a sound.

Other modules cut sounds with it: `Listener` gives a probability for each frame, `segments` makes spans of them.
"""

from __future__ import annotations

from edgekit.core import Evaluation, Task
from edgekit.tasks.evidence.pauses import PAUSES
from edgekit.tasks.voice_activity_detection.agreement import AGREEMENT
from edgekit.tasks.voice_activity_detection.detector import SpeechDetector
from edgekit.tasks.voice_activity_detection.drawn import draw_prediction
from edgekit.tasks.voice_activity_detection.listener import Listener
from edgekit.tasks.voice_activity_detection.samples import samples
from edgekit.tasks.voice_activity_detection.segments import Rules, Span, segments

__all__ = ["TASK", "Listener", "Rules", "Span", "segments"]


TASK = Task(
    "voice-activity-detection",
    "sound",
    "answers",
    lambda folder, labels: samples(folder),
    SpeechDetector,
    metric="frame-error",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no error rate is known that would be too high; its loss is judged.
    evaluation=Evaluation("frame-error", worst=None, drop=0.005, minimum=20),
    evidence=PAUSES,
    agreement=AGREEMENT,
    show=lambda sample, prediction: draw_prediction(prediction),
)
