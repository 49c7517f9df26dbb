"""Speech to text while somebody speaks.

A buffer of the last seconds is transcribed again and again. A word is final once two transcriptions in a row agree
about it (LocalAgreement-2: Machacek, Dabre & Bojar 2023, arXiv:2307.14743), or once it lies so far back that more sound
does not help it. Each transcription begins with the final words of the buffer. Where the buffer grew long it is cut in
a pause: an hour needs no more memory than half a minute.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Heard, Prediction, Stream
from edgekit.errors import BadInput
from edgekit.models.whisper.loop.cuts import RULES
from edgekit.models.whisper.loop.options import Options
from edgekit.models.whisper.loop.recognition import Context, Recognizer
from edgekit.models.whisper.loop.words import Word
from edgekit.models.whisper.shapes import SAMPLE_RATE
from edgekit.tasks.common.audio import Converter
from edgekit.tasks.voice_activity_detection import Listener

Samples = NDArray[np.float32]

#: Seconds of new sound that a transcription waits for; on a slow device this share of its own time, if that is more.
_STEP, _PATIENCE = 0.4, 1.1
#: Seconds before the end of the buffer: a word that ends later may still be cut off; a word that ends earlier than the
#: second is final whatever the last reading said.
_FRAYED, _SETTLED = 0.7, 1.4
#: A word that is less probable is not final because two readings agree.
_UNSURE = 0.85
#: Seconds: a buffer that is longer is cut; what is left of it at most, and in silence; the most that it ever has.
_LONG, _LEFT, _KEPT, _MOST = 10.0, 8.0, 2.0, 28.0
#: The encoder's window in seconds; a longer buffer has a window of its length.
_WINDOW = 15.0
#: Seconds of silence that end an utterance, and that are kept before the next.
_PAUSE, _MOMENT = 0.7, 0.4
#: Tokens that a reading may have, at least and for each second of new sound: beyond them it loops.
_LEAST, _PACE = 12, 8.0
#: How far before the end of the last final word another may begin, in seconds.
_BORDER = 0.1
#: A buffer that never exceeds this amplitude (-70 dB of full scale) is silence, as for files.
_SILENCE = 10 ** (-70 / 20)


class SpeechStream(Stream):
    """See `edgekit.core.Stream`. Options are those of a transcription."""

    def __init__(self, recognizer: Recognizer, options: Options, rate: int, listener: Listener | None = None) -> None:
        """`listener`: detector of speech; None: everything may be speech."""
        self._recognizer, self._listener = recognizer, listener if options.vad is not False else None
        if self._listener:
            self._listener.reset()
        self._spoken: int | None = None  # end of the last frame with speech since the buffer was cut, in samples
        self._heard_until = 0  # end of the last frame that the detector judged
        self._options = replace(options, words=True, temperatures=options.temperatures[:1], window=_WINDOW)
        self._converter = Converter(rate, SAMPLE_RATE)
        self._context = Context(self._options, options.language)
        self._buffer: Samples = np.zeros(0, np.float32)
        self._begin = 0  # of the buffer, in samples of the stream
        self._fresh = 0  # samples that no transcription has seen
        self._step = _STEP
        self._pending: list[Word] = []
        self._final: list[Word] = []
        self._held = 0  # the first final word that lies in the buffer
        self._closed = False

    def feed(self, chunk: Any) -> Heard:
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
            self._listen(piece)
            if self._listener and self._spoken is None:
                self._forget()
            elif self._has_paused():
                heard += self._transcribe(notes, settled=True)
                self._forget()
            elif self._fresh >= self._step * SAMPLE_RATE or self._full():
                heard += self._transcribe(notes, settled=False)
        return self._transcript_update(heard, notes)

    def _listen(self, piece: Samples) -> None:
        """Ask the detector about the new samples."""
        if self._listener is None:
            return
        for probability in self._listener.push(piece):
            self._heard_until += self._listener.hop
            if probability >= RULES.threshold:
                self._spoken = self._heard_until

    def _has_paused(self) -> bool:
        """Whether somebody spoke, and has been silent for long enough."""
        return self._spoken is not None and self._heard_until - self._spoken > _PAUSE * SAMPLE_RATE

    def _full(self) -> bool:
        """Whether the buffer has what a window may have: then it is read, however slow the device is."""
        return len(self._buffer) >= _MOST * SAMPLE_RATE

    def _forget(self) -> None:
        """Drop what nobody speaks in, but for the last moment: a word may have begun."""
        self._cut(len(self._buffer) / SAMPLE_RATE - _MOMENT)
        self._held, self._spoken, self._fresh = len(self._final), None, 0

    def end(self) -> Prediction:
        self._buffer = np.concatenate([self._buffer, self._converter.end()])
        self._closed = True
        if (self._fresh or self._pending) and (self._listener is None or self._spoken is not None):
            self._accept(self._read(), settled=True)
        seconds = self._begin / SAMPLE_RATE + len(self._buffer) / SAMPLE_RATE
        details = {
            "language": self._context.language,
            "language_probability": self._context.language_probability,
            "words": [word.facts() for word in self._final],
            "notes": [],
        }
        return Prediction(_text(self._final), details, {"audio_seconds": seconds})

    def _transcript_update(self, words: Sequence[Word], notes: Sequence[str]) -> Heard:
        return Heard(_text(words), [word.facts() for word in words], _text(self._pending), tuple(notes))

    def _transcribe(self, notes: list[str], settled: bool) -> list[Word]:
        """Transcribe the buffer; the words that became final, or all of them, if it is settled that no more come."""
        began, fresh, full = time.perf_counter(), self._fresh / SAMPLE_RATE, self._full()
        accepted = self._accept(self._read(), settled)
        took = time.perf_counter() - began
        # A device that needs longer than the sound lasts works on longer pieces; none of the sound is dropped.
        self._step = max(_STEP, _PATIENCE * took)
        if took > (1 if full else 2) * max(fresh, _STEP):
            notes.append(f"this device took {took:.1f} s for {fresh:.1f} s of new sound: the text comes late")
        return accepted

    def _read(self) -> list[Word]:
        """The words of the buffer behind those that are final; their times from the begin of the stream. Where the
        network loops, `_pending`: what the reading before heard."""
        self._fresh = 0
        if not len(self._buffer) or np.abs(self._buffer).max() < _SILENCE:
            return []
        if not self._final:
            self._context.language = self._options.language  # of a few syllables it is a guess
        held = self._final[self._held :]
        # The tokens that the network wrote: a tokenizer may spell the same text with others.
        words, doubt = self._recognize_buffer([token for word in held for token in word.tokens])
        if doubt and held:
            # It loops: read anew, and tell by their times which words are final already.
            words, doubt = self._recognize_buffer([])
            words = [word for word in words if word.start > held[-1].end - _BORDER]
            return self._pending if doubt else words
        return self._pending if doubt else words[len(held) :]

    def _recognize_buffer(self, prefix: list[int]) -> tuple[list[Word], str]:
        """All words of the buffer, which begin with `prefix`, and what speaks against them."""
        context, begin, end = self._context, self._begin / SAMPLE_RATE, len(self._buffer) / SAMPLE_RATE
        unread = end - (max(self._final[-1].end - begin, 0.0) if prefix else 0.0)
        context.prefix, context.most = prefix, _LEAST + round(_PACE * unread)
        context.windows.clear()  # of one reading: a stream has no end
        recognized = self._recognizer.recognize(self._buffer, context, False)
        if recognized.silent(self._options) and not prefix:
            return [], ""
        if recognized.doubt and recognized.doubt != "improbable":
            return [], recognized.doubt
        words = self._recognizer.words(recognized, [*prefix, *recognized.tokens], self._buffer, context)
        return [replace(word, start=begin + word.start, end=begin + word.end) for word in words], ""

    def _accept(self, words: list[Word], settled: bool) -> list[Word]:
        """Make final what two readings agree about, what is old enough, or everything; shorten the buffer."""
        end = (self._begin + len(self._buffer)) / SAMPLE_RATE
        earlier = [] if words is self._pending else self._pending  # no reading agrees with itself
        count = 0
        while count < len(words):
            word, before = words[count], earlier[count : count + 1]
            agreed = before and _letters(before[0].word) == _letters(word.word) and word.probability > _UNSURE
            if not (settled or (agreed and word.end < end - _FRAYED) or word.end < end - _SETTLED):
                break
            count += 1
        accepted, self._pending = words[:count], words[count:]
        floor = self._final[-1].end if self._final else 0.0
        for word in accepted:
            start = max(word.start, floor)
            floor = max(word.end, start)
            self._final.append(replace(word, start=start, end=floor))
        self._shorten()
        return self._final[len(self._final) - count :]

    def _shorten(self) -> None:
        """Cut a buffer that grew long: in the longest pause before a final word, which stays, so that a border that is
        a little wrong costs nothing; where nobody spoke for long, near its end."""
        length, begin = len(self._buffer) / SAMPLE_RATE, self._begin / SAMPLE_RATE
        if length <= _LONG:
            return
        held = self._final[self._held :]
        silent = not self._pending and (not held or held[-1].end < begin + length - _LEFT)
        pauses = [(after.start - before.end, i) for i, (before, after) in enumerate(itertools.pairwise(held))]
        late = [pair for pair in pauses if held[pair[1]].end > begin + length - _LEFT]
        if pauses and not silent:
            _, i = max(late or pauses[-1:])
            self._cut((held[i].end + held[i + 1].start) / 2 - begin)
            self._held += i + 1
        if silent or len(self._buffer) > _MOST * SAMPLE_RATE:
            # Not before a final word: it would be heard once more.
            spoken = held[-1].end if held else 0.0
            self._cut(max(begin + length - _KEPT, spoken) - self._begin / SAMPLE_RATE)
            self._held = len(self._final)

    def _cut(self, seconds: float) -> None:
        """Forget the first seconds of the buffer."""
        drop = min(max(round(seconds * SAMPLE_RATE), 0), len(self._buffer))
        self._begin, self._buffer = self._begin + drop, self._buffer[drop:]


def _text(words: Sequence[Word]) -> str:
    return "".join(word.word for word in words).strip()


def _letters(word: str) -> str:
    """What is compared of a word: its letters and digits, in lower case."""
    return "".join(letter for letter in word.lower() if letter.isalnum())
