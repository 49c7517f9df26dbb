"""Speech and pauses: clips of the speech evidence joined with silence and noise, so that what is speech is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np, soundfile
from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.speech import VOICES

_RATE = 16_000
#: Sounds of each half; clips in a sound, of one voice, and seconds of each.
_COUNT, _CLIPS, _SECONDS = 12, 2, 3.0
#: Seconds of the pauses around the clips, and their noise, in dB of full scale (None: digital silence).
_PAUSES, _NOISES = (0.5, 1.2, 0.8, 2.0), (-50.0, None, -38.0, -60.0)
#: A moment of a clip is speech if it is not this many dB softer than its loudest moment.
_RANGE = 35.0
#: A moment, in samples; what is between moments of speech is speech, if it is no longer than so many moments.
_MOMENT, _BRIDGED = 160, 20


def _samples(folder: Path) -> Sequence[Sample]:
    clips = VOICES.samples(folder)
    middle = len(clips) // 2
    return [
        _join_clips(of_one, k, f"{name}-{k + 1:02d}")
        for name, half in (("first", clips[:middle]), ("second", clips[middle:]))
        for k, of_one in enumerate(_together(half)[:_COUNT])
    ]


def _together(clips: Sequence[Sample]) -> list[list[Sample]]:
    """The clips of each voice in groups; the last group of a voice is filled with its first clips."""
    voices: dict[str, list[Sample]] = {}
    for clip in clips:
        voices.setdefault(clip.source, []).append(clip)
    return [
        [of_one[(at + i) % len(of_one)] for i in range(_CLIPS)]
        for of_one in voices.values()
        for at in range(0, len(of_one), _CLIPS)
    ]


def _join_clips(clips: Sequence[Sample], k: int, name: str) -> Sample:
    """The k-th sound of a half: pause, clip, pause, clip, pause. Its truth is spans of speech, in seconds."""
    random = np.random.default_rng(k)
    pieces, spans, at = list[Any](), list[tuple[float, float]](), 0
    for i in range(2 * _CLIPS + 1):
        if i % 2:
            piece = _read(clips[i // 2].input)
            spans += [((at + start) / _RATE, (at + end) / _RATE) for start, end in _loud(piece)]
        else:
            piece = np.zeros(round(_PAUSES[(k + i // 2) % len(_PAUSES)] * _RATE), np.float32)
        pieces.append(piece)
        at += len(piece)
    sound = np.concatenate(pieces)
    level = _NOISES[k % len(_NOISES)]
    if level is not None:
        sound = sound + np.float32(10 ** (level / 20)) * random.standard_normal(len(sound), np.float32)
    return Sample(np.clip(sound, -1.0, 1.0).astype(np.float32), spans, name, source=clips[0].source)


def _read(file: str) -> NDArray[Any]:
    sound, rate = soundfile.read(file, round(_SECONDS * _RATE), dtype="float32")
    assert rate == _RATE, file
    result: NDArray[Any] = sound
    return result


def _loud(clip: NDArray[Any]) -> list[tuple[int, int]]:
    """Spans of samples in which the clip is loud."""
    moments = clip[: len(clip) // _MOMENT * _MOMENT].reshape(-1, _MOMENT)
    power = np.square(moments, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-_RANGE / 10))
    breaks = np.flatnonzero(np.diff(loud) > _BRIDGED)
    starts, ends = [0, *(breaks + 1)], [*breaks, len(loud) - 1]
    return [(int(loud[start]) * _MOMENT, int(loud[end] + 1) * _MOMENT) for start, end in zip(starts, ends, strict=True)]


PAUSES = Evidence(
    "speech and pauses",
    VOICES.licence,
    f"{2 * _COUNT} sounds of two clips between silence or noise, from {VOICES.origin}",
    _samples,
)
