"""Speech activity as a picture: loudness, the probability of speech, and the spans."""

from __future__ import annotations

from typing import Any

from edgekit.core import Prediction

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
