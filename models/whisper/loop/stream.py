"""Speech to text while somebody speaks.

A buffer of the last seconds is transcribed again and again. A word is final once two transcriptions in a row agree
about it (LocalAgreement-2: Machacek, Dabre & Bojar 2023, arXiv:2307.14743), or once it lies so far back that more sound
does not help it. Final words leave the buffer and become the prompt for what follows, so that an hour needs no more
memory than half a minute.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Heard, Prediction, Stream
from edgekit.errors import BadInput
from edgekit.models.whisper.loop.options import Options
from edgekit.models.whisper.loop.recognition import Context, Recognizer
from edgekit.models.whisper.loop.words import Word
from edgekit.models.whisper.shapes import SAMPLE_RATE
from edgekit.tasks.common.audio import Converter

__all__ = ["SpeechStream"]

Samples = NDArray[np.float32]

#: Seconds of new sound that a transcription waits for; on a slow device this share of its own time, if that is more.
_STEP, _PATIENCE = 0.6, 1.1
#: Seconds before the end of the buffer beyond which a word is final without a second opinion.
_SETTLED = 1.2
#: Seconds: a buffer that is longer is cut behind its last final word; most seconds that it may ever have.
_LONG, _MOST = 10.0, 28.0
#: Tokens of final text that the next transcription is prompted with.
_PROMPT = 100
#: A chunk that never exceeds this amplitude (-70 dB of full scale) is silence, as for files.
_SILENCE = 10 ** (-70 / 20)
#: How far two readings of a word's begin may lie apart, in seconds.
_SLACK = 0.3


class SpeechStream(Stream):
    """See `edgekit.core.Stream`. Options are those of a transcription."""

    def __init__(self, recognizer: Recognizer, options: Options, rate: int, mark: Any = None) -> None:
        """`mark`: (samples) -> the seconds of each stretch of speech in them; None: everything may be speech."""
        self._recognizer, self._mark = recognizer, mark
        self._options = replace(options, words=True, temperatures=options.temperatures[:1])
        self._converter = Converter(rate, SAMPLE_RATE)
        self._context = Context(self._options, options.language)
        self._buffer: Samples = np.zeros(0, np.float32)
        self._begin = 0  # of the buffer, in samples of the stream
        self._fresh = 0  # samples that no transcription has seen
        self._step = _STEP
        self._pending: list[Word] = []
        self._final: list[Word] = []
        self._closed = False

    def push(self, chunk: Any) -> Heard:
        if self._closed:
            raise BadInput("the stream has ended.", hint="Begin another: predictor.stream()")
        samples = self._converter.push(chunk)
        heard: list[Word] = []
        notes: list[str] = []
        # A chunk of minutes is taken in pieces, each of which is new sound for a transcription.
        for at in range(0, max(len(samples), 1), 2 * SAMPLE_RATE):
            piece = samples[at : at + 2 * SAMPLE_RATE]
            self._buffer = np.concatenate([self._buffer, piece])
            self._fresh += len(piece)
            if self._fresh >= self._step * SAMPLE_RATE:
                heard += self._transcribe(notes)
        return self._heard(heard, notes)

    def end(self) -> Prediction:
        self._buffer = np.concatenate([self._buffer, self._converter.end()])
        self._closed = True
        if self._fresh or self._pending:
            self._accept(self._read(), settled=True)
        seconds = self._begin / SAMPLE_RATE + len(self._buffer) / SAMPLE_RATE
        details = {
            "language": self._context.language,
            "language_probability": self._context.language_probability,
            "words": [_facts(word) for word in self._final],
            "notes": [],
        }
        return Prediction(_text(self._final), details, {"audio_seconds": seconds})

    def _heard(self, words: Sequence[Word], notes: Sequence[str]) -> Heard:
        return Heard(_text(words), [_facts(word) for word in words], _text(self._pending), tuple(notes))

    def _transcribe(self, notes: list[str]) -> list[Word]:
        """Transcribe the buffer; the words that became final."""
        began, fresh = time.perf_counter(), self._fresh / SAMPLE_RATE
        accepted = self._accept(self._read(), settled=False)
        took = time.perf_counter() - began
        # A device that needs longer than the sound lasts works on longer pieces; none of the sound is dropped.
        self._step = max(_STEP, _PATIENCE * took)
        if took > 2 * max(fresh, _STEP):
            notes.append(f"this device took {took:.1f} s for {fresh:.1f} s of new sound: the text comes late")
        return accepted

    def _read(self) -> list[Word]:
        """The words of the buffer, their times from the begin of the stream, without those that are final."""
        self._fresh = 0
        if not len(self._buffer) or np.abs(self._buffer).max() < _SILENCE:
            return []
        self._context.history = self._prompt()
        recognized = self._recognizer.recognize(self._buffer, self._context, False)
        if recognized.silent(self._options):
            return []
        begin = self._begin / SAMPLE_RATE
        words = self._recognizer.words(recognized, recognized.tokens, self._buffer, self._context)
        return self._fresh_words([replace(w, start=begin + w.start, end=begin + w.end) for w in words])

    def _prompt(self) -> list[int]:
        """Tokens of the final text that lies before the buffer."""
        begin = self._begin / SAMPLE_RATE
        before = [word.word for word in self._final[-_PROMPT:] if word.end <= begin + _SLACK]
        return self._recognizer.tokens.encode("".join(before))[-_PROMPT:]

    def _fresh_words(self, words: list[Word]) -> list[Word]:
        """Words behind the last final one. About there, readings differ in time: repeated words are found by text."""
        if not self._final:
            return words
        last = self._final[-1].end
        words = [word for word in words if word.end > last + 0.02 and word.start > last - _SLACK]
        for count in range(min(5, len(words), len(self._final)), 0, -1):
            same = all(
                _letters(old.word) == _letters(new.word)
                for old, new in zip(self._final[-count:], words[:count], strict=True)
            )
            if same and words[0].start < last + _SLACK:
                return words[count:]
        return words

    def _accept(self, words: list[Word], settled: bool) -> list[Word]:
        """Make final what two readings agree about, what is old enough, or everything; shorten the buffer."""
        end = (self._begin + len(self._buffer)) / SAMPLE_RATE
        count = 0
        while count < len(words):
            word = words[count]
            agreed = count < len(self._pending) and _letters(self._pending[count].word) == _letters(word.word)
            if not (settled or agreed or word.end < end - _SETTLED):
                break
            count += 1
        accepted, self._pending = words[:count], words[count:]
        floor = self._final[-1].end if self._final else 0.0
        for word in accepted:
            start = max(word.start, floor)
            floor = max(word.end, start)
            self._final.append(replace(word, start=start, end=floor))
        self._shorten(accepted)
        return self._final[len(self._final) - len(accepted) :]

    def _shorten(self, accepted: Sequence[Word]) -> None:
        """Cut a buffer that grew long: behind the last final word; where nobody speaks, but for the last seconds."""
        length = len(self._buffer) / SAMPLE_RATE
        if length <= _LONG:
            return
        begin = self._begin / SAMPLE_RATE
        last = self._final[-1].end if self._final else 0.0
        quiet = not self._pending and not accepted
        cut = max(last - begin, length - 2.0 if quiet else 0.0, length - _MOST)
        drop = min(round(cut * SAMPLE_RATE), len(self._buffer))
        self._begin, self._buffer = self._begin + drop, self._buffer[drop:]


def _facts(word: Word) -> dict[str, Any]:
    times = {"start": round(word.start, 3), "end": round(word.end, 3)}
    return {**asdict(word), "word": word.word.strip(), **times}


def _text(words: Sequence[Word]) -> str:
    return "".join(word.word for word in words).strip()


def _letters(word: str) -> str:
    """What is compared of a word: its letters and digits, in lower case."""
    return "".join(letter for letter in word.lower() if letter.isalnum())
