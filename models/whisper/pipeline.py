"""Whisper from sound to text: windows, language, fallbacks and segments (after whisper/transcribe.py).

Where it differs from the original, on purpose:

- The encoder's window is as long as the sound needs (`window_seconds`), not always 30 s. If what comes out looks wrong
  (see `_suspicious`), the window is encoded again at 30 s before any other fallback.
- Features are computed per window, so that two hours of audio need the memory of thirty seconds.
- Windows of digital silence are not decoded: the network would make words up.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Prediction, Predictor, Runner
from edgekit.errors import BadInput
from edgekit.models.whisper.decoding import Begun, Hypotheses, Result, Rules, Window, beam_search, begin, sample
from edgekit.models.whisper.shapes import HOP, SAMPLE_RATE, WINDOW
from edgekit.models.whisper.tokens import Tokens, language_code
from edgekit.tasks.common.audio import Audio, open_audio

#: Shorter sounds hold no word.
_SHORTEST = 0.1
#: A sound that never exceeds this amplitude (-70 dB of full scale) is silence.
_SILENCE = 10 ** (-70 / 20)
#: As many hypotheses about a window as the decoder part declares.
_MOST_HYPOTHESES = 64


@dataclass(frozen=True)
class Options:
    """How to transcribe; the defaults are the original's where it has them.

    Attributes:
        language: code ("en"), or None to detect it. task: "transcribe" or "translate" (to English).
        timestamps: give segments with times. Always so beyond 30 s, where they carry the windows forward.
        beams: 1 is greedy. temperatures: tried in order while a result looks wrong; (0,) for none.
        best_of: samples at a temperature above 0. condition: feed each window the text before it.
        prompt: text to feed before the first window (names, spelling).
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
    window: float | None = None
    progress: Callable[[float, float], None] | None = None


@dataclass
class _Run:
    """What accumulates over the windows of one sound."""

    options: Options
    language: str | None
    language_probability: float | None = None
    tokens: int = 0
    first_token: float = 0.0
    text: list[int] = field(default_factory=list)
    history: list[int] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)


class Transcriber(Predictor):
    """The pipeline: `predict` takes a path, or float samples at 16 kHz, or (samples, rate)."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> None:
        self._frontend, self._encoder, self._decoder = parts["frontend"], parts["encoder"], parts["decoder"]
        self._facts = facts["tokens"]
        self._window = facts["window"]
        self._vocabulary = int(facts["vocabulary"])
        self._context = int(facts["text_context"])
        self._blanks = int(facts.get("blanks", 0))
        self._limit = self._context // 2
        self.tokens = Tokens(folder / "tokenizer.json")

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Transcribe `sample`; options are the fields of `Options`.

        Returns:
            A Prediction: the text; details language, language_probability, segments, notes, windows, fallbacks;
            units audio_seconds and tokens; marks first_token.

        Raises:
            BadInput: not audio, shorter than 0.1 s, values that are not numbers, an unknown language or option.
        """
        started = time.perf_counter()
        chosen = self._options(options)
        audio = open_audio(sample, SAMPLE_RATE)
        run = _Run(chosen, chosen.language)
        if chosen.prompt:
            run.history = self.tokens.encode(" " + chosen.prompt.strip())
        seconds = self._windows(audio, run, started)
        text = self.tokens.text(run.text).strip()
        notes = list(audio.notes) + ([] if run.windows else ["no sound above -70 dB: nothing to transcribe"])
        details = {
            "language": run.language,
            "language_probability": run.language_probability,
            "segments": run.segments,
            "notes": notes,
            "windows": run.windows,
            "fallbacks": run.fallbacks,
        }
        units = {"audio_seconds": seconds, "tokens": run.tokens}
        marks = {"first_token": run.first_token} if run.first_token else {}
        return Prediction(text, details, units, marks)

    def _options(self, options: Mapping[str, Any]) -> Options:
        known = Options.__dataclass_fields__
        for name in options:
            if name not in known:
                raise BadInput(f"there is no option {name!r} for transcription.", hint=f"Known: {', '.join(known)}.")
        chosen = Options(**options)
        _check(chosen)
        if chosen.language is not None:
            chosen = replace(chosen, language=language_code(chosen.language, self._facts["languages"]))
        return chosen

    def _windows(self, audio: Audio, run: _Run, started: float) -> float:
        """Slide over the sound; returns its true length in seconds."""
        at, total = 0, 0
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
                at += self._one(samples, at, run, long or run.options.timestamps, started)
            if run.options.progress:
                run.options.progress(at / SAMPLE_RATE, audio.seconds)

    def _one(self, samples: NDArray[np.float32], at: int, run: _Run, timestamps: bool, started: float) -> int:
        """Decode one window, append to `run`, and return by how many samples to advance."""
        result = self._decode(samples, run, timestamps, started)
        options = run.options
        silent = result.no_speech > options.no_speech and result.average_logprob <= options.logprob
        if silent:
            return len(samples)
        run.tokens += len(result.tokens)
        advance = self._segments(result.tokens, samples, at, run) if timestamps else len(samples)
        if not timestamps:
            run.text += result.tokens
            run.history += result.tokens
        if result.temperature > 0.5 or not options.condition:
            run.history = []
        return advance

    def _decode(self, samples: NDArray[np.float32], run: _Run, timestamps: bool, started: float) -> Result:
        """One window with fallbacks: a longer encoder window first, then rising temperatures."""
        options, seconds = run.options, len(samples) / SAMPLE_RATE
        wanted = max(options.window, seconds) if options.window else window_seconds(seconds, self._window)
        begun, rules, limit = self._begin(samples, wanted, run, timestamps, seconds)
        elapsed = begun.started - started
        result = _first_try(begun, rules, limit, options)
        run.first_token = run.first_token or elapsed + result.first_token
        why = self._suspicious(result, options)
        if wanted < 30 and options.window is None and (why := why or echoes(result.tokens)):
            run.fallbacks.append(f"{why}: encoded again at 30 s")
            begun, rules, limit = self._begin(samples, 30.0, run, timestamps, seconds)
            result = _first_try(begun, rules, limit, options)
            why = self._suspicious(result, options)
        for i, temperature in enumerate(options.temperatures[1:], 1):
            if not why:
                break
            run.fallbacks.append(f"{why}: sampled again at temperature {temperature:g}")
            result = sample(begun, rules, limit, temperature, options.best_of, seed=i)
            why = self._suspicious(result, options)
        return result

    def _suspicious(self, result: Result, options: Options) -> str:
        """Why a result looks wrong ("" if it does not), by the original's two signs and a third: it never ends."""
        if result.no_speech > options.no_speech and result.average_logprob <= options.logprob:
            return ""
        text = self.tokens.text(result.tokens).strip().encode()
        if text and len(text) / len(zlib.compress(text)) > options.compression_ratio:
            return "repetitive"
        if not result.complete:
            return "endless"
        return "improbable" if result.average_logprob < options.logprob else ""

    def _begin(
        self, samples: NDArray[np.float32], window: float, run: _Run, timestamps: bool, seconds: float
    ) -> tuple[Begun, Rules, int]:
        run.windows.append(round(window, 2))
        encoded = self._encode(samples, window)
        prompt = self._prompt(encoded, run, timestamps)
        begun = begin(self._decoder, encoded, prompt, self._facts)
        rules = Rules(self._facts, self._vocabulary, timestamps, encoded.seconds)
        # Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
        limit = min(self._limit, 40 + int(15 * seconds), self._context - len(prompt))
        return begun, rules, limit

    def _encode(self, samples: NDArray[np.float32], window: float) -> Window:
        length = min(max(round(window * SAMPLE_RATE / (2 * HOP)) * 2 * HOP, 4 * HOP), WINDOW)
        padded = np.zeros((1, length), np.float32)
        padded[0, : len(samples)] = samples[:length]
        mel = self._frontend({"audio": padded})["mel"]
        return Window(self._encoder({"mel": mel}), length / SAMPLE_RATE, self._blanks)

    def _prompt(self, encoded: Window, run: _Run, timestamps: bool) -> list[int]:
        facts, head = self._facts, []
        if run.history:
            head = [facts["start_of_previous"], *run.history[-(self._limit - 1) :]]
        if run.language is None and facts["languages"]:
            run.language, run.language_probability = self._detect(encoded)
        prompt = [*head, facts["start_of_transcript"]]
        if facts["languages"]:
            prompt += [facts["languages"][run.language], facts[run.options.task]]
        return prompt if timestamps else [*prompt, facts["no_timestamps"]]

    def _detect(self, encoded: Window) -> tuple[str, float]:
        """The most probable language, and its probability among languages."""
        logits = Hypotheses(self._decoder, encoded).step([[self._facts["start_of_transcript"]]], [0])[0, 0]
        codes = list(self._facts["languages"])
        scores = logits[[self._facts["languages"][code] for code in codes]]
        odds = np.exp(scores - scores.max())
        best = int(odds.argmax())
        return codes[best], float(odds[best] / odds.sum())

    def _segments(self, tokens: list[int], samples: NDArray[np.float32], at: int, run: _Run) -> int:
        """Cut at pairs of timestamps, append to `run`; returns by how many samples to advance."""
        first, step = self._facts["first_timestamp"], self._facts["seconds_per_timestamp"]
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
        for cut in [*cuts, len(tokens)] if closed else cuts:
            piece = tokens[begin_at:cut]
            self._add(piece, at, ((piece[0] - first) * step, (piece[-1] - first) * step, seconds), run)
            begin_at = cut
        if closed:
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
            run.text += [t for t in tokens if t < self._facts["end_of_text"]]
            run.history += tokens


def _check(options: Options) -> None:
    """Raises BadInput for a value that no transcription can have."""
    for name, most in (("beams", _MOST_HYPOTHESES), ("best_of", _MOST_HYPOTHESES)):
        value = getattr(options, name)
        if not isinstance(value, int) or not 1 <= value <= most:
            raise BadInput(f"{name} must be a whole number from 1 to {most}, not {value!r}.")
    rising = options.temperatures
    if not isinstance(rising, (tuple, list)) or not rising or not all(_within(value, 0.0, 100.0) for value in rising):
        raise BadInput(f"temperatures must be a tuple of numbers from 0 up, at least one, not {rising!r}.")
    if options.window is not None and not (_within(options.window, 0.0, 30.0) and options.window > 0):
        raise BadInput(f"the window must be more than 0 and at most 30 seconds, not {options.window!r}.")
    for name in ("language", "prompt"):
        if not isinstance(getattr(options, name), (str, type(None))):
            raise BadInput(f"the {name} must be text, not {getattr(options, name)!r}.")
    if options.task not in ("transcribe", "translate"):
        raise BadInput(f"the task must be transcribe or translate, not {options.task!r}.")


def _within(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and least <= value <= most


def _first_try(begun: Begun, rules: Rules, limit: int, options: Options) -> Result:
    """At the first temperature; beams are for temperature 0 only, as in the original."""
    if options.beams > 1 and options.temperatures[0] == 0:
        return beam_search(begun, rules, limit, options.beams)
    return sample(begun, rules, limit, options.temperatures[0], options.best_of, seed=0)


def echoes(tokens: list[int]) -> str:
    """Whether a result ends by saying the same twice, the typical failure of a window that is too short.

    People do repeat themselves, so this sends a window back to the encoder but never to sampling.
    """
    twice = any(tokens[-n:] == tokens[-2 * n : -n] for n in range(3, len(tokens) // 2 + 1))
    return "ends with an echo" if twice else ""


def window_seconds(seconds: float, facts: Mapping[str, float]) -> float:
    """Seconds to give the encoder for a sound of `seconds`: a margin, a least length, whole steps, at most 30.

    The numbers (``least``, ``margin``, ``step``) and the evidence for them are in docs/whisper-window.md.
    """
    wanted = max(facts["least"], seconds + facts["margin"])
    return float(min(np.ceil(wanted / facts["step"]) * facts["step"], 30.0))
