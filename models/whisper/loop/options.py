"""The options of a transcription."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.core.options import check_names, truth
from edgekit.errors import BadInput
from edgekit.models.whisper.loop.tokens import language_code
from edgekit.tasks.automatic_speech_recognition.subtitles import check_ending

#: As many hypotheses about a window as the decoder part declares.
_MOST_HYPOTHESES = 64


@dataclass(frozen=True)
class Options:
    """How to transcribe; the defaults are the original's where it has them.

    Attributes:
        language: code ("en"), or None to detect it. task: "transcribe" or "translate" (to English).
        timestamps: give segments with times. Always so beyond 30 s without `vad`: they carry the windows forward.
        beams: 1 is greedy. temperatures: tried in order while a result looks wrong; (0,) for none.
        best_of: samples at a temperature above 0. condition: feed each window the text before it.
        prompt: text to feed before the first window (names, spelling).
        vad: look for speech first, and transcribe nothing else; None: only in a sound that is longer than a window.
        words: give the times of words (`edgekit.models.whisper.loop.words`).
        out: file for the transcription: .srt, .vtt (both with times, whatever `timestamps` says), .json or .txt.
        window: seconds that the encoder gets at least; None chooses by the length of the sound, 30 is the original's.
        progress: called with (seconds done, seconds in all) after each window.
    """

    language: str | None = None
    task: str = "transcribe"
    timestamps: bool = False
    beams: int = 1
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    best_of: int = 5
    condition: bool = False
    prompt: str = ""
    compression_ratio: float = 2.4
    logprob: float = -1.0
    no_speech: float = 0.6
    vad: bool | None = None
    words: bool = False
    out: str = ""
    window: float | None = None
    progress: Callable[[float, float], None] | None = None


def options_of(values: Mapping[str, Any], languages: Mapping[str, int], only: str = "") -> Options:
    """The options in `values`, checked.

    Args:
        languages: code -> token, of those that the model knows. only: the code of its only language.

    Raises:
        BadInput: an unknown option, a value that no transcription can have, or a language that the model lacks.
    """
    check_names(values, Options.__dataclass_fields__)
    chosen = Options(**{name: _as_chosen(name, value) for name, value in values.items()})
    _check(chosen)
    if chosen.out and check_ending(chosen.out) in (".srt", ".vtt"):
        chosen = replace(chosen, timestamps=True)
    if only and chosen.task == "translate":
        raise BadInput(f"this model does not translate: it knows {only} alone.")
    if only:
        return replace(chosen, language=language_code(chosen.language or only, {only: 0}))
    if chosen.language is not None:
        chosen = replace(chosen, language=language_code(chosen.language, languages))
    return chosen


def _as_chosen(name: str, value: Any) -> Any:
    """The value; of an option that is yes or no, in words too."""
    kind = str(Options.__dataclass_fields__[name].type)
    return truth(name, value) if kind == "bool" or (kind == "bool | None" and value is not None) else value


def _check(options: Options) -> None:
    """Raises BadInput for a value that no transcription can have."""
    for name, most in (("beams", _MOST_HYPOTHESES), ("best_of", _MOST_HYPOTHESES)):
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise BadInput(f"{name} must be a whole number from 1 to {most}, not {value!r}.")
    rising = options.temperatures
    if not isinstance(rising, (tuple, list)) or not rising or not all(_within(value, 0.0, 100.0) for value in rising):
        raise BadInput(f"temperatures must be a tuple of numbers from 0 up, at least one, not {rising!r}.")
    if options.window is not None and not (_within(options.window, 0.0, 30.0) and options.window > 0):
        raise BadInput(f"the window must be more than 0 and at most 30 seconds, not {options.window!r}.")
    for name in ("compression_ratio", "logprob", "no_speech"):
        if not _within(getattr(options, name), -math.inf, math.inf):  # an infinite limit is none; NaN is within nothing
            raise BadInput(f"{name} must be a number, not {getattr(options, name)!r}.")
    for name in ("language", "prompt"):
        if not isinstance(getattr(options, name), (str, type(None))):
            raise BadInput(f"the {name} must be text, not {getattr(options, name)!r}.")
    if options.task not in ("transcribe", "translate"):
        raise BadInput(f"the task must be transcribe or translate, not {options.task!r}.")


def _within(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
