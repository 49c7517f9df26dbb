"""Voice activity detection: when somebody speaks in a sound.

Other modules cut sounds with it: `Listener` gives a probability for each frame, `segments` makes spans of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Facts, Prediction, Sample, Task
from edgekit.tasks.common.folders import sounds
from edgekit.tasks.evidence.pauses import PAUSES
from edgekit.tasks.voice_activity_detection.detector import SpeechDetector
from edgekit.tasks.voice_activity_detection.listener import Listener
from edgekit.tasks.voice_activity_detection.segments import Rules, Span, segments


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "speech": [[start, end], ...]}, in seconds); without it every sound
    below, without a truth.

    Raises:
        BadInput: another layout, an absent file, or spans that are not in order.
    """
    expected = '{"audio": ..., "speech": [[start, end], ...]} with spans in seconds, in order'
    return sounds(folder, lambda entry: _spans(entry["speech"]), expected)


def _spans(value: Any) -> list[tuple[float, float]]:
    spans = [(float(start), float(end)) for start, end in value]
    edges = [edge for span in spans for edge in span]
    if edges != sorted(edges) or any(not 0 <= edge < float("inf") for edge in edges):
        raise ValueError("spans overlap, or lie before the sound")
    return spans


#: Points of a curve at most.
_POINTS = 900


def draw_prediction(prediction: Prediction) -> Any:
    """The probability over time, its threshold, and a bar for each span of speech: a PIL image."""
    from edgekit.tasks.common.drawing import Axes

    details = prediction.details
    heard, frame = details["probabilities"], details["frame"]
    axes = Axes((0.0, max(frame, len(heard) * frame)), (0.0, 1.25), ("seconds", "probability of speech"))
    loud = details["loudness"]
    every = -(-len(heard) // _POINTS) or 1
    times = [(i + 0.5) * frame for i in range(0, len(heard), every)]
    top = max(loud, default=0.0) or 1.0
    axes.band(times, [0.0] * len(times), [max(loud[i : i + every]) / top for i in range(0, len(loud), every)], number=5)
    for span in details["speech"]:
        axes.bar((span["start"], span["end"]), (1.04, 1.1), number=2)
    axes.level(details["threshold"])
    axes.curve(times, [max(heard[i : i + every]) for i in range(0, len(heard), every)])
    return axes.image


_SHARE, _FAR = "share of frames with the same decision", "largest difference of a probability"
#: Decimals of a probability that a bundle keeps.
_DECIMALS = 3
#: Frames of a clip that may be decided otherwise.
_OTHER = 0.02


def _answer(prediction: Prediction) -> Facts:
    details = prediction.details
    heard = [round(float(value), _DECIMALS) for value in details["probabilities"]]
    return {"threshold": details["threshold"], "probabilities": heard}


def _is_nothing(answer: Any) -> bool:
    return not any(value >= answer["threshold"] for value in answer["probabilities"])


def _shares(answers: Sequence[Any], reference: Sequence[Any]) -> list[tuple[int, int]]:
    """Of each sound: frames with the same decision, frames. Sounds of other lengths have none in common."""
    pairs = []
    for answer, wanted in zip(answers, reference, strict=True):
        limit, mine, other = wanted["threshold"], answer["probabilities"], wanted["probabilities"]
        same = sum((a >= limit) == (b >= limit) for a, b in zip(mine, other, strict=False))
        pairs.append((same if len(mine) == len(other) else 0, len(other)))
    return pairs


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [same >= (1 - _OTHER) * frames for same, frames in _shares(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    same, frames = (sum(counts) for counts in zip(*_shares(answers, reference), strict=True))
    far = max(
        (
            abs(a - b)
            for answer, wanted in zip(answers, reference, strict=True)
            for a, b in zip(answer["probabilities"], wanted["probabilities"], strict=False)
        ),
        default=0.0,
    )
    return {_SHARE: same / frames if frames else 1.0, _FAR: far}


AGREEMENT = Agreement(
    "the same decision in 98 % of frames",
    _answer,
    _same,
    bar=0.9,
    figures=_figures,
    bars={_SHARE: 0.99},
    bounds=False,
    nothing=_is_nothing,
)


__all__ = ["TASK", "Listener", "Rules", "Span", "draw_prediction", "samples", "segments"]


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
