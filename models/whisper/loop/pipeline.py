"""Whisper from sound to text: windows, language, fallbacks and segments (after whisper/transcribe.py).

Where it differs from the original, on purpose:

- The encoder's window is as long as the sound needs (`window_seconds`), not always 30 s. If what comes out looks wrong
  (see `_suspicious`), the window is encoded again at 30 s before any other fallback.
- Features are computed per window, so that two hours of audio need the memory of thirty seconds.
- Windows of digital silence are not decoded: the network would make words up. Of a sound beyond a window only those
  stretches are decoded in which the detector hears speech, and windows end in pauses.
- Where no token of a text looks at a stretch of speech, words are missing, and the window is read again with times.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.errors import BadInput
from edgekit.models.whisper.loop.cuts import batch_windows, pack_windows, pieces, speech_in
from edgekit.models.whisper.loop.options import Options, options_of
from edgekit.models.whisper.loop.recognition import Context, Recognized, Recognizer
from edgekit.models.whisper.loop.stream import SpeechStream
from edgekit.models.whisper.loop.tokens import TokenFacts
from edgekit.models.whisper.shapes import SAMPLE_RATE, WINDOW
from edgekit.tasks.automatic_speech_recognition.subtitles import write
from edgekit.tasks.common.audio import Audio, open_audio
from edgekit.tasks.voice_activity_detection import Listener, Span

#: Shorter sounds hold no word.
_SHORTEST = 0.1
#: Seconds behind the last word of a window that ends with speech: if there are more, words are missing.
_LEFT_OUT = 1.5
#: Seconds at which no token of the text looks: if there are more, and somebody speaks, words are missing. Of 59 windows
#: of several speakers, those 53 that lacked none had 2.2 at most; a missing sentence of six words had 2.9.
_UNREAD = 2.5
#: A sound that never exceeds this amplitude (-70 dB of full scale) is silence.
_SILENCE = 10 ** (-70 / 20)


class _Segment(TypedDict):
    start: float
    end: float
    text: str


@dataclass
class _Run(Context):
    """What accumulates over the windows of one sound; it began at a time of `time.perf_counter`."""

    began: float = 0.0
    tokens: int = 0
    first_token: float = 0.0
    text: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    segments: list[_Segment] = field(default_factory=list)
    words: list[Facts] = field(default_factory=list)


class Transcriber(Predictor):
    """The pipeline: `predict` takes a path, or float samples at 16 kHz, or (samples, rate)."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._tokens, self._language = fact_of(facts, "tokens", TokenFacts), fact_of(facts, "language", str, "")
        self._stated = fact_of(facts, "alignment_stated", bool, True)
        self._recognizer = Recognizer(parts, folder, facts)
        self._listener = Listener(parts["detector"], fact_of(facts, "detector", dict)) if "detector" in parts else None
        self.tokens = self._recognizer.tokens

    def _options(self, given: Mapping[str, Any]) -> Options:
        return options_of(given, self._tokens["languages"], self._language)

    def probe(self, sample: Any) -> Prediction:
        """With the detector of speech, which a short sound does without."""
        if self._listener is None:
            return self.predict(sample)
        with self._listener.frame_by_frame():
            return self.predict(sample, vad=True)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Transcribe `sample`; options are the fields of `Options`.

        Returns:
            A Prediction: the text; details language, language_probability, segments, notes, windows, fallbacks, words;
            units audio_seconds and tokens; marks first_token.

        Raises:
            BadInput: not audio, shorter than 0.1 s, values that are not numbers, an unknown language or option.
        """
        started = time.perf_counter()
        chosen = self._options(options)
        audio = open_audio(sample, SAMPLE_RATE)
        run = _Run(chosen, chosen.language, began=started)
        if chosen.prompt:
            run.history = self.tokens.encode(" " + chosen.prompt.strip())
        if chosen.vad or (chosen.vad is None and self._listener and audio.seconds * SAMPLE_RATE > WINDOW):
            seconds = self._transcribe_speech(sample, audio, run)
        else:
            seconds = self._windows(audio, run)
        text = self.tokens.text(run.text).strip()
        notes = [*audio.notes, *run.notes]
        if chosen.words and not self._stated:
            notes.append("the checkpoint names no heads of alignment: times are of the upper half of its decoder")
        if not (run.windows or run.notes):
            notes.append("no sound above -70 dB: nothing to transcribe")
        details = {
            "language": run.language,
            "language_probability": run.language_probability,
            "segments": run.segments,
            "notes": notes,
            "windows": run.windows,
            "fallbacks": run.fallbacks,
            **({"words": run.words} if chosen.words else {}),
        }
        units = {"audio_seconds": seconds, "tokens": run.tokens}
        marks = {"first_token": run.first_token} if run.first_token else {}
        prediction = Prediction(text, details, units, marks)
        if chosen.out:
            write(prediction, Path(chosen.out))
        return prediction

    def next_tokens(self, sample: Any, answer: Any) -> NDArray[np.float32] | None:
        """See `edgekit.core.Predictor.next_tokens`; of sounds within one window."""
        audio, chosen = open_audio(sample, SAMPLE_RATE), self._options({})
        samples = audio.window(0, WINDOW)
        if audio.seconds * SAMPLE_RATE > WINDOW:
            return None
        run = _Run(chosen, chosen.language)
        return self._recognizer.teacher_forced_logprobs(
            samples, run, self.tokens.encode(f" {answer}" if answer else "")
        )

    def stream(self, rate: int = SAMPLE_RATE, **options: Any) -> SpeechStream:
        """See `edgekit.core.Predictor.stream`. Raises BadInput as `predict`."""
        return SpeechStream(self._recognizer, self._options(options), rate, self._listener)

    def _windows(self, audio: Audio, run: _Run) -> float:
        """Slide over the sound; returns its true length in seconds."""
        at, total, again = 0, 0, False
        while True:
            samples = audio.window(at, WINDOW)
            total = max(total, at + len(samples))
            if at == 0 and len(samples) < _SHORTEST * SAMPLE_RATE:
                length = len(samples) / SAMPLE_RATE
                raise BadInput(f"the audio is {length:.4f} s long: too short to hold a word (at least {_SHORTEST} s).")
            if len(samples) < _SHORTEST * SAMPLE_RATE:
                return total / SAMPLE_RATE
            if np.abs(samples).max() < _SILENCE:
                at += len(samples)
            else:
                # A sound longer than a window needs timestamps: they say where the next window starts.
                long = at > 0 or (len(samples) == WINDOW and audio.seconds * SAMPLE_RATE > WINDOW)
                timestamps = long or run.options.timestamps
                recognized = self._recognizer.recognize(samples, run, timestamps)
                complete = self._complete(recognized, samples, run)
                # Behind a window that was read again, a rest of a moment holds no word: the network would make one up.
                again = again or (complete.timed and not timestamps)
                at += self._whole(complete, samples, at, run) if again else self._part(complete, samples, at, run)
                del recognized, complete  # what the encoder gave is not in memory beside what it gives next
            if run.options.progress:
                run.options.progress(at / SAMPLE_RATE, audio.seconds)

    def _transcribe_speech(self, sample: Any, audio: Audio, run: _Run) -> float:
        """Transcribe where somebody speaks; returns the true length in seconds."""
        if self._listener is None:
            raise BadInput("this bundle has no detector of speech.", hint="Export it again with this version.")
        if len(audio.window(0, WINDOW)) < _SHORTEST * SAMPLE_RATE:
            return self._windows(audio, run)  # which says that it is too short
        spans = pack_windows(speech_in(self._listener, sample, SAMPLE_RATE))
        spoken = sum(end - start for start, end in spans)
        windows = [window for span in spans for window in pieces(span) if window[1] - window[0] >= _SHORTEST]
        recognizer = self._recognizer
        for group in batch_windows(
            windows, recognizer.at_once(run.options), lambda s: recognizer.encoder_seconds(s, run.options)
        ):
            self._together(group, audio, run)
            if run.options.progress:
                run.options.progress(group[-1][1], audio.seconds)
        if audio.seconds - spoken >= 1:
            run.notes.append(f"no speech in {audio.seconds - spoken:.1f} of {audio.seconds:.1f} s: left out")
        return audio.seconds

    def _together(self, windows: Sequence[Span], audio: Audio, run: _Run) -> None:
        """Transcribe windows side by side; what they leave in memory is free afterwards."""
        starts = [round(start * SAMPLE_RATE) for start, _ in windows]
        sounds = [audio.window(at, round(end * SAMPLE_RATE) - at) for at, (_, end) in zip(starts, windows, strict=True)]
        # Of a long sound: times tell which words the network left out, if nothing else does.
        long = audio.seconds * SAMPLE_RATE > WINDOW and not self._recognizer.tells_gaps(run.options)
        timestamps = run.options.timestamps or long
        results = self._recognizer.side_by_side(sounds, run, timestamps)
        for at, samples, recognized in zip(starts, sounds, results, strict=True):
            left, begin, text = samples, at, recognized
            while (reached := self._whole(self._complete(text, left, run), left, begin, run)) < len(left):
                begin, left = begin + reached, left[reached:]
                text = self._recognizer.recognize(left, run, timestamps)

    def _whole(self, recognized: Recognized, samples: NDArray[np.float32], at: int, run: _Run) -> int:
        """Append a window that begins at sample `at` and ends with speech, and return by how many samples to advance.

        Where it gives times the network often stops early, as if another window followed.
        """
        # What lies behind the last word of the window is a pause.
        self._append(recognized, samples, at, run, whole=True)
        return self._samples_to_last_time(len(samples), at, run) if recognized.timed else len(samples)

    def _part(self, recognized: Recognized, samples: NDArray[np.float32], at: int, run: _Run) -> int:
        """Append a window whose last words may go on in the next, and return by how many samples to advance.

        Where it gives times the network may stop early ("Chapter 31"): what somebody says behind is read next.
        """
        advance = self._append(recognized, samples, at, run)
        reached = self._samples_to_last_time(advance, at, run) if recognized.timed else advance
        return reached if self._spoken_in(samples[reached:advance]) else advance

    def _samples_to_last_time(self, advance: int, at: int, run: _Run) -> int:
        """Samples up to the last time of a window that begins at sample `at`; all, if but a moment lies behind."""
        end = round(run.segments[-1]["end"] * SAMPLE_RATE) - at if run.segments else 0
        return end if end > 0 and advance - end >= _LEFT_OUT * SAMPLE_RATE else advance

    def _spoken_in(self, samples: NDArray[np.float32]) -> bool:
        """Whether somebody speaks in half of a stretch, as far as the bundle can tell."""
        if self._listener is None or not len(samples):
            return False
        heard = speech_in(self._listener, samples, SAMPLE_RATE)
        return 2 * sum(until - since for since, until in heard) * SAMPLE_RATE >= len(samples)

    def _complete(self, recognized: Recognized, samples: NDArray[np.float32], run: _Run) -> Recognized:
        """The text of a window; read again with times if it says nothing of a stretch in which somebody speaks.

        Without times the network leaves out sentences now and then, where speakers change without a pause.
        """
        if recognized.timed or recognized.silent(run.options) or self._listener is None:
            return recognized
        begin, end = self._recognizer.gap(recognized, samples)
        unread = samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        if end - begin <= _UNREAD or not self._spoken_in(unread):
            return recognized
        run.fallbacks.append(f"no words for {end - begin:.1f} s of speech: read again with times")
        again = self._recognizer.again(recognized, samples, run)
        since, until = self._recognizer.gap(again, samples)
        # The same words read with times shrink the gap a little. Only the missing words shrink it much.
        return again if until - since <= max(_UNREAD, (end - begin) / 2) else recognized

    def _append(
        self, recognized: Recognized, samples: NDArray[np.float32], at: int, run: _Run, *, whole: bool = False
    ) -> int:
        """Append a window that begins at sample `at` to `run`, and return by how many samples to advance.

        Args:
            whole: the window ends in a pause: its last words are no beginning of what the next window holds.
        """
        run.first_token = run.first_token or recognized.started - run.began + recognized.first_token
        result, before = recognized.result, len(run.text)
        if recognized.silent(run.options):
            return len(samples)
        run.tokens += len(result.tokens)
        advance = self._segments(result.tokens, samples, at, run, whole) if recognized.timed else len(samples)
        if not recognized.timed:
            run.text += result.tokens
            run.history += result.tokens
            if whole and (text := self.tokens.text(result.tokens).strip()):
                begin, end = (round(time / SAMPLE_RATE, 2) for time in (at, at + len(samples)))
                run.segments.append({"start": begin, "end": end, "text": text})
        if run.options.words:
            self._words(recognized, run.text[before:], samples[:advance], at, run)
        if result.temperature > 0.5 or not run.options.condition:
            run.history = []
        return advance

    def _words(
        self, recognized: Recognized, tokens: Sequence[int], samples: NDArray[np.float32], at: int, run: _Run
    ) -> None:
        """Append the words of a window that begins at sample `at`."""
        words = self._recognizer.words(recognized, tokens, samples, run)
        run.words += [word.facts(begin=at / SAMPLE_RATE) for word in words]

    def _segments(self, tokens: list[int], samples: NDArray[np.float32], at: int, run: _Run, whole: bool) -> int:
        """Cut at pairs of timestamps, append to `run`; returns by how many samples to advance."""
        first, step = self._tokens["first_timestamp"], self._tokens["seconds_per_timestamp"]
        stamp = [token >= first for token in tokens]
        cuts = [i + 1 for i in range(len(tokens) - 1) if stamp[i] and stamp[i + 1]]
        closed = stamp[-2:] == [False, True]
        seconds = len(samples) / SAMPLE_RATE
        if not cuts:
            last = [t for t in tokens if t >= first]
            end = (last[-1] - first) * step if last and last[-1] > first else seconds
            self._add(tokens, at, (0.0, end, seconds), run)
            return len(samples)
        begin_at = 0
        for cut in [*cuts, len(tokens)] if closed or whole else cuts:
            piece = tokens[begin_at:cut]
            end = (piece[-1] - first) * step if piece[-1] >= first else seconds
            self._add(piece, at, ((piece[0] - first) * step, end, seconds), run)
            begin_at = cut
        if closed or whole:
            return len(samples)
        advance = round((tokens[begin_at - 1] - first) * step * SAMPLE_RATE)
        return min(advance, len(samples)) or len(samples)

    def _add(self, tokens: list[int], at: int, times: tuple[float, float, float], run: _Run) -> None:
        """Append a segment of a window. Times: its start and end, and the end of the sound, which it may not pass."""
        start, end, last = times
        text = self.tokens.text(tokens).strip()
        if text and end > start:
            begin_at, end_at = (round(at / SAMPLE_RATE + min(time, last), 2) for time in (start, end))
            run.segments.append({"start": begin_at, "end": end_at, "text": text})
            run.text += [t for t in tokens if t < self._tokens["end_of_text"]]
            run.history += tokens
