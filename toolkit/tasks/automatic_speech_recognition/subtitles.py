"""A transcription as a file: SubRip (.srt), WebVTT (.vtt), JSON or plain text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.files import replacing
from edgekit.core import Prediction
from edgekit.errors import BadInput

#: Most letters of a line, and lines of a subtitle (the BBC's guidelines); longest pause inside one, in seconds.
_LINE, _LINES, _PAUSE = 37, 2, 1.0


class _Word(NamedTuple):
    """A word and its times in seconds."""

    word: str
    start: float
    end: float


def check_ending(file: str) -> str:
    """The ending of a file, in lower case. Raises BadInput for one that is not written."""
    ending = Path(file).suffix.lower()
    if ending not in ENDINGS:
        raise BadInput(f"{file!r} is no {', '.join(ENDINGS)} file.", hint="Write for example: --out talk.srt")
    return ending


def write(prediction: Prediction, file: Path) -> None:
    """Write a transcription by the file's ending, whole or not at all. Subtitles come from its words where it has
    them, else from its segments. Raises as `check_ending`."""
    text = ENDINGS[check_ending(str(file))](prediction)
    with replacing(file) as fresh:
        fresh.write_text(text, encoding="utf-8")


def _cues(details: Mapping[str, Any]) -> list[tuple[float, float, str]]:
    """Start, end and text of each subtitle."""
    words = [_Word(item["word"], item["start"], item["end"]) for item in details.get("words") or ()]
    if not words:
        return [(s["start"], s["end"], s["text"]) for s in details.get("segments") or ()]
    return [(group[0].start, group[-1].end, _wrap_subtitle(group)) for group in _group_words(words)]


def _group_words(words: Sequence[_Word]) -> list[list[_Word]]:
    """Words by subtitle: a pause, the end of a sentence that is long enough, or two full lines end it."""
    groups: list[list[_Word]] = []
    for word in words:
        group = groups[-1] if groups else []
        ended = group and group[-1].word[-1:] in ".?!\u3002\uff1f\uff01" and len(_join_words(group)) > _LINE // 2
        full = len(_join_words([*group, word])) > _LINE * _LINES
        if not group or ended or full or word.start - group[-1].end > _PAUSE:
            groups.append([word])
        else:
            group.append(word)
    return groups


def _join_words(words: Sequence[_Word]) -> str:
    return " ".join(word.word for word in words)


def _wrap_subtitle(words: Sequence[_Word]) -> str:
    """The text of a subtitle, broken once where it is longer than a line."""
    text = _join_words(words)
    if len(text) <= _LINE:
        return text
    at = min((i for i, letter in enumerate(text) if letter == " "), key=lambda i: abs(i - len(text) / 2), default=0)
    return f"{text[:at]}\n{text[at + 1 :]}" if at else text


def _time(seconds: float, mark: str) -> str:
    """HH:MM:SS,mmm."""
    thousandths = round(seconds * 1000)
    hours, minutes = divmod(thousandths // 60_000, 60)
    return f"{hours:02}:{minutes:02}:{thousandths // 1000 % 60:02}{mark}{thousandths % 1000:03}"


def _srt(prediction: Prediction) -> str:
    cues = enumerate(_cues(prediction.details), 1)
    return "".join(f"{n}\n{_time(a, ',')} --> {_time(b, ',')}\n{text}\n\n" for n, (a, b, text) in cues)


def _vtt(prediction: Prediction) -> str:
    cues = _cues(prediction.details)
    # A cue that holds an arrow or a tag would be read as markup.
    safe = [(a, b, text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) for a, b, text in cues]
    return "WEBVTT\n\n" + "".join(f"{_time(a, '.')} --> {_time(b, '.')}\n{text}\n\n" for a, b, text in safe)


def _json(prediction: Prediction) -> str:
    return json.dumps(asdict(prediction), ensure_ascii=False, indent=1) + "\n"


#: Ending -> writer.
ENDINGS: Mapping[str, Callable[[Prediction], str]] = {
    ".srt": _srt,
    ".vtt": _vtt,
    ".json": _json,
    ".txt": lambda prediction: f"{prediction.output}\n",
}
