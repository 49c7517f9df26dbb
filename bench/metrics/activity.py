"""Speech activity: how much of a sound is decided wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput

#: Frames a second: finer than any detector's own, so that its frames need not be known.
_RATE = 100


def frames(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Frame error rate: per sound, (frames of 10 ms in which output and truth differ, its frames).

    Missed speech and false alarms weigh the same. A frame is speech if its middle is in a span.

    Args:
        outputs: mappings of ``spans`` [(start, end), ...] and ``seconds``, the length of the sound.
        truths: spans of speech, all in seconds.

    Raises:
        BadInput: lengths differ, or a sample has no truth.
    """
    return [_pair(output, truth, at) for at, (output, truth) in enumerate(side_by_side(outputs, truths))]


def _pair(output: Mapping[str, Any], truth: Any, at: int) -> Pair:
    if truth is None:
        raise BadInput(f"sample {at} has no truth; the frame error rate needs spans of speech for each.")
    count = max(1, round(_RATE * output["seconds"]))
    # The spans of an answer stand in for a truth where nobody gave one.
    wanted = truth["spans"] if isinstance(truth, Mapping) else truth
    heard, said = _mark_frames(output["spans"], count), _mark_frames(wanted, count)
    return float(sum(a != b for a, b in zip(heard, said, strict=True))), float(count)


def _mark_frames(spans: Sequence[tuple[float, float]], count: int) -> bytearray:
    """1 for every frame whose middle is in a span."""
    marks = bytearray(count)
    for start, end in spans:
        first, last = (min(count, max(0, round(_RATE * edge))) for edge in (start, end))
        marks[first:last] = b"\1" * (last - first)
    return marks
