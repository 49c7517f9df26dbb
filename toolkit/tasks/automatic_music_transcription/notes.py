"""From activations of notes and of their onsets to notes: Bittner et al. 2022 (arXiv:2203.09893), section 2.3.

Written anew after the paper and its implementation's rules (basic-pitch, Apache-2.0), with equal results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NotRequired, TypedDict

from edgekit.common.lazy import Floats, np
from edgekit.errors import BadInput

#: With fewer frames nothing can be a peak.
_SHORTEST = 3
#: Frames over which a rise of a note's activation counts as an onset.
_RISE = 2


class Note(TypedDict):
    """A note of an answer or a truth: seconds, its pitch as MIDI counts (60 is middle C), and 1..127."""

    start: float
    end: float
    pitch: int
    velocity: NotRequired[int]


@dataclass(frozen=True)
class NoteRules:
    """How notes follow from activations.

    Attributes:
        onset: least activation of an onset. frame: least activation with which a note goes on.
        shortest: frames that a note must exceed. tolerance: frames below `frame` after which a note has ended.

    Raises:
        BadInput: an activation outside of 0..1, or frames that are no whole number from 0 on.
    """

    onset: float = 0.5
    frame: float = 0.3
    shortest: int = 11
    tolerance: int = 11

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.name in ("shortest", "tolerance")
            kind: Any = int if whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 <= value <= (10_000 if whole else 1):
                wanted = "a whole number of frames" if whole else "a number from 0 to 1"
                raise BadInput(f"{field.name} must be {wanted}, not {value!r}.")


@dataclass(frozen=True)
class FramedNote:
    """A note in frames: the first, the first behind it, its key (0 is the lowest), its mean activation."""

    start: int
    end: int
    key: int
    strength: float


def framed_notes(frames: Floats, onsets: Floats, rules: NoteRules) -> list[FramedNote]:
    """Notes, first those that begin with an onset (the latest first), then those that are found in what is left.

    Args:
        frames, onsets: activations in 0..1, float32 [frames, keys].
    """
    if len(frames) < _SHORTEST:
        return []
    roll = _Roll(frames, rules)
    starts = _peaks(_with_rises(onsets, frames), rules.onset)
    notes = [note for start, key in reversed(starts) if (note := roll.from_onset(start, key))]
    return notes + [note for place in roll.loudest() if (note := roll.around(*place))]


def _with_rises(onsets: Floats, frames: Floats) -> Floats:
    """Onsets, and rises of the activation of notes, scaled to the same maximum."""
    rises = np.min([frames - np.pad(frames, ((n, 0), (0, 0)))[:-n] for n in range(1, _RISE + 1)], axis=0)
    rises = np.maximum(rises, 0)
    rises[:_RISE] = 0
    most = float(rises.max())
    if not most:
        return onsets
    higher: Floats = np.maximum(onsets, onsets.max() * rises / most)
    return higher


def _peaks(onsets: Floats, least: float) -> list[tuple[int, int]]:
    """(frame, key) of local maxima over time that reach `least`, in order of frames."""
    inner = onsets[1:-1]
    peaks = (inner > onsets[:-2]) & (inner > onsets[2:]) & (inner >= least)
    return [(int(frame) + 1, int(key)) for frame, key in np.argwhere(peaks)]


class _Roll:
    """Activations, from which each note that is found is taken away, with its neighbours a semitone beside."""

    def __init__(self, frames: Floats, rules: NoteRules) -> None:
        self.frames, self._left, self._rules = frames, frames.copy(), rules

    def from_onset(self, start: int, key: int) -> FramedNote | None:
        """The note that begins here, until its activation has been low for a while; None if it is too short."""
        last = len(self._left) - 1
        if start >= last:
            return None
        end = self._end(start + 1, key, range(start + 1, last))
        if end - start <= self._rules.shortest:
            return None
        self._take(start, end, key)
        return self._note(start, end, key)

    def loudest(self) -> Iterator[tuple[int, int]]:
        """Frame and key of the largest activation that is left when asked, as long as it can be a note's.

        Activations only ever vanish, so that a single sorting tells all that will be asked.
        """
        places = np.argwhere(self._left > self._rules.frame)
        order = np.argsort(-self._left[tuple(places.T)], kind="stable")
        for frame, key in places[order].tolist():
            if self._left[frame, key]:
                yield frame, key

    def around(self, middle: int, key: int) -> FramedNote | None:
        """The note around a frame; None if it is too short. What was looked at is taken away in either case."""
        self._left[middle, key] = 0
        ahead = range(middle + 1, len(self._left) - 1)
        behind = range(middle - 1, 0, -1)
        reach_end, low_end = self._walk(ahead, key)
        reach_start, low_start = self._walk(behind, key)
        end, start = reach_end - 1 - low_end, reach_start + 1 + low_start
        return self._note(start, end, key) if end - start > self._rules.shortest else None

    def _end(self, begin: int, key: int, places: range) -> int:
        low, at = 0, begin
        for at in places:
            low = low + 1 if self._left[at, key] < self._rules.frame else 0
            if low >= self._rules.tolerance:
                break
        return at + 1 - low if places else begin

    def _walk(self, places: range, key: int) -> tuple[int, int]:
        """The first frame that was not looked at, and how many before it were low; those looked at are taken away."""
        low, step = 0, places.step
        at = places.start
        while at in places and low < self._rules.tolerance:
            low = low + 1 if self._left[at, key] < self._rules.frame else 0
            self._take(at, at + 1, key)
            at += step
        return at, low

    def _take(self, start: int, end: int, key: int) -> None:
        self._left[start:end, max(0, key - 1) : key + 2] = 0

    def _note(self, start: int, end: int, key: int) -> FramedNote:
        return FramedNote(start, end, key, float(self.frames[start:end, key].mean()))
