"""Where a long sound is cut: in pauses, so that windows begin and end between words, and hold no long silence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.voice_activity_detection import Listener, Rules, Span, segments

#: Looser than the detector's own defaults: a word that is lost weighs more than a pause that is kept.
RULES = Rules(threshold=0.5, shortest=0.1, pause=0.5, padding=0.25, longest=28.0)
#: Seconds of a window at most, and of a pause in one at most.
_WINDOW, _PAUSE = 29.5, 2.0
#: Seconds that a network takes at most.
_MOST = 30.0
#: What windows that are recognized together may cost the encoder, of what they cost alone: it gets as many seconds of
#: each as of the longest.
_WASTE = 1.15
#: Samples that are read at once.
_BLOCK = 160_000


def speech_in(listener: Listener, sample: Any, rate: int) -> list[Span]:
    """The stretches of a sound in which somebody speaks, in seconds. Raises as `open_audio`."""
    audio, heard, at = open_audio(sample, rate), list[float](), 0
    listener.reset()
    while len(block := audio.window(at, _BLOCK)):
        at += len(block)
        heard += listener.push(block)
    heard += listener.finish()
    return segments(heard, RULES, seconds=at / rate, hop=listener.hop, rate=rate)


def pack_windows(spans: Sequence[Span]) -> list[Span]:
    """The windows to transcribe: as many stretches of speech together as fit, unless a long pause parts them."""
    windows: list[Span] = []
    for start, end in spans:
        if windows and end - windows[-1][0] <= _WINDOW and start - windows[-1][1] <= _PAUSE:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def pieces(window: Span) -> list[Span]:
    """`window`, or the pieces of at most 30 s of a longer one."""
    start, end = window
    count = max(1, math.ceil((end - start) / _MOST))
    return [(start + i * _MOST, min(start + (i + 1) * _MOST, end)) for i in range(count)]


def batch_windows(windows: Sequence[Span], most: int, wanted: Callable[[float], float]) -> list[list[Span]]:
    """Consecutive windows to recognize together: `most` at most, and of lengths that are alike.

    Args:
        wanted: seconds of a sound -> seconds that the encoder gets of it.
    """
    groups: list[list[Span]] = []
    for window in windows:
        together = [*groups[-1], window] if groups else [window]
        needs = [wanted(end - start) for start, end in together]
        if groups and len(together) <= most and max(needs) * len(needs) <= _WASTE * sum(needs):
            groups[-1] = together
        else:
            groups.append([window])
    return groups
