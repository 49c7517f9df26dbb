"""From probabilities of speech, one for each frame, to spans of speech in seconds.

The rules and their defaults are those of Silero VAD's ``get_speech_timestamps``: a threshold to begin and a lower one
to end (hysteresis), least durations of speech and of a pause, a padding, and a most length at which a span is cut in
its longest pause.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

from edgekit.errors import BadInput

#: Start and end, in seconds.
Span = tuple[float, float]


@dataclass(frozen=True)
class Rules:
    """How spans follow from probabilities. All but the first two are seconds.

    Attributes:
        threshold: speech begins at this probability. release: it ends below this; None: 0.15 under the threshold.
        shortest: speech that is not longer is dropped. pause: silence that is shorter does not end a span.
        padding: added at both sides of a span, at most to the middle of the pause between two.
        longest: a span is cut before it gets longer. cut: the pause in which that happens is longer than this; without
            such a pause it is cut where it is.

    Raises:
        BadInput: a probability outside of 0..1, a negative duration, or a most length of less than a second.
    """

    threshold: float = 0.5
    release: float | None = None
    shortest: float = 0.25
    pause: float = 0.1
    padding: float = 0.03
    longest: float = math.inf
    cut: float = 0.098

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "release" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise BadInput(f"{field.name} must be a number from 0 on, not {value!r}.")
        if not self.threshold <= 1 or not self.lower <= self.threshold:
            raise BadInput("the threshold is at most 1, and the release at most the threshold.")
        if self.longest < 1:
            raise BadInput(f"spans of {self.longest:g} s at most are too short: one second at least.")

    @property
    def lower(self) -> float:
        """The probability below which speech ends."""
        return max(self.threshold - 0.15, 0.01) if self.release is None else self.release


def segments(
    probabilities: Iterable[float], rules: Rules | None = None, *, seconds: float, hop: int = 512, rate: int = 16_000
) -> list[Span]:
    """Spans of speech in seconds, in order, none overlapping.

    Args:
        probabilities: of frames of `hop` samples at `rate` Hz, the first at 0 s.
        seconds: length of the sound, beyond which no span reaches.
    """
    rules, size = rules or Rules(), round(seconds * rate)
    spans = _spans(probabilities, rules, size, hop, rate)
    _pad(spans, int(rate * rules.padding), rate * rules.padding, size)
    return [(start / rate, end / rate) for start, end in spans]


class _Speech:
    """The span that is being heard: where it began, where its present pause began, its earlier pauses (start, length).

    All in samples; None: there is none.
    """

    def __init__(self) -> None:
        self.start: int | None = None
        self.quiet: int | None = None
        self.pauses: list[tuple[int, int]] = []

    def begin(self, at: int | None) -> None:
        self.start, self.quiet, self.pauses = at, None, []


def _spans(probabilities: Iterable[float], rules: Rules, size: int, hop: int, rate: int) -> list[list[int]]:
    """Spans in samples, without padding."""
    spans: list[list[int]] = []
    speech, lower = _Speech(), rules.lower
    longest = rate * rules.longest - hop - 2 * rate * rules.padding
    for at, probability in ((i * hop, value) for i, value in enumerate(probabilities)):
        if probability >= rules.threshold:
            if speech.quiet is not None and at - speech.quiet > rate * rules.cut:
                speech.pauses.append((speech.quiet, at - speech.quiet))
            speech.quiet = None
            if speech.start is None:
                speech.begin(at)
                continue
        if speech.start is None:
            continue
        if at - speech.start > longest:
            spans.append(_cut(speech, at))
            if speech.start is None:
                continue
        if probability < lower:
            speech.quiet = at if speech.quiet is None else speech.quiet
            if at - speech.quiet >= rate * rules.pause:
                if speech.quiet - speech.start > rate * rules.shortest:
                    spans.append([speech.start, speech.quiet])
                speech.begin(None)
    if speech.start is not None and size - speech.start > rate * rules.shortest:
        spans.append([speech.start, size])
    return spans


def _cut(speech: _Speech, at: int) -> list[int]:
    """End a span that is too long: in its longest pause, behind which the next one begins, else at once."""
    assert speech.start is not None
    if not speech.pauses:
        span = [speech.start, at]
        speech.begin(None)
        return span
    end, length = max(speech.pauses, key=lambda pause: pause[1])
    span = [speech.start, end]
    speech.begin(end + length)
    return span


def _pad(spans: list[list[int]], whole: int, padding: float, size: int) -> None:
    """Widen spans by the padding, in place; two that would meet share the pause between them."""
    for i, span in enumerate(spans):
        if not i:
            span[0] = max(0, span[0] - whole)
        if i == len(spans) - 1:
            span[1] = min(size, span[1] + whole)
            continue
        following = spans[i + 1]
        pause = following[0] - span[1]
        half = pause // 2 if pause < 2 * padding else whole
        span[1] = min(size, span[1] + half)
        following[0] = max(0, following[0] - half)
