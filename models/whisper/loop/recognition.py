"""Windows of sound to tokens: the encoder, the prompt, and what is tried again where the result looks wrong."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.common.memory import give_back
from edgekit.core import Facts, Runner, fact_of
from edgekit.models.whisper.loop.decoding import Begun, Result, Rules, beam_search, begin, greedy, log_softmax, sample
from edgekit.models.whisper.loop.hypotheses import Hypotheses, Windows
from edgekit.models.whisper.loop.options import Options
from edgekit.models.whisper.loop.tokens import TokenFacts, Tokens
from edgekit.models.whisper.loop.words import Text, Word, aligned_words, looks
from edgekit.models.whisper.shapes import HOP, SAMPLE_RATE, WINDOW

Samples = NDArray[np.float32]
#: Windows of a long sound whose texts grow side by side. With three five minutes take as long, and 40 MB more.
_AT_ONCE = 2


@dataclass
class Context:
    """What one window of a sound leaves for the next, and what was done about it.

    Attributes:
        language: code; None until it is detected. history: tokens of the text before, to condition on.
        prefix: tokens that the window's text begins with, whatever the network says; they are not in its answer.
        most: tokens of an answer at most; None: as many as anybody can speak in its sound.
        windows: seconds that the encoder got, each time. fallbacks: why something was tried again.
    """

    options: Options
    language: str | None
    language_probability: float | None = None
    history: list[int] = field(default_factory=list)
    prefix: list[int] = field(default_factory=list)
    most: int | None = None
    windows: list[float] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Recognized:
    """The tokens of a window, and the state from which they came.

    Attributes:
        started: time of `time.perf_counter` at which the encoder was done.
        first_token: seconds from there to the first token.
        timed: whether there are times among the tokens.
        doubt: why the result looks wrong, after all that was tried; "" if it does not.
    """

    result: Result
    begun: Begun
    started: float
    first_token: float
    timed: bool
    doubt: str = ""

    @property
    def tokens(self) -> list[int]:
        return self.result.tokens

    def silent(self, options: Options) -> bool:
        """Whether the network says that nobody speaks, and is not sure of the words that it gave all the same."""
        return self.result.no_speech > options.no_speech and self.result.average_logprob <= options.logprob


@dataclass(frozen=True)
class _Start:
    """Windows of `seconds` with the prompt, and what decides about their tokens; rules are of all of them."""

    begun: Begun
    rules: Rules
    limits: Sequence[int]
    seconds: float
    timestamps: bool


class Recognizer:
    """The three parts of a Whisper over one window at a time."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._frontend, self._encoder, self._decoder = parts["frontend"], parts["encoder"], parts["decoder"]
        self._alignment = fact_of(facts, "alignment", list[tuple[int, int]], [])
        self._facts, self._window = fact_of(facts, "tokens", TokenFacts), fact_of(facts, "window", dict[str, float])
        self._vocabulary = fact_of(facts, "vocabulary", int)
        self._context = fact_of(facts, "text_context", int)
        self._blanks = fact_of(facts, "blanks", int, 0)
        self._several = any(isinstance(s.shape[0], str) for s in self._decoder.inputs if s.name == "cross_key_0")
        self._aligns = any(spec.name == "alignment_queries" for spec in self._decoder.outputs)
        self.limit = self._context // 2
        self.tokens = Tokens(folder / "tokenizer.json")
        self._latest: tuple[bytes, dict[str, NDArray[Any]]] = b"", {}

    def recognize(self, samples: Samples, run: Context, timestamps: bool) -> Recognized:
        """One window with fallbacks: a longer encoder window first, then rising temperatures.

        Args:
            samples: float32 [samples] at 16 kHz, at most 30 s. timestamps: whether times are wanted among the tokens.
        """
        return self.side_by_side([samples], run, timestamps)[0]

    def at_once(self, options: Options) -> int:
        """How many windows may be recognized side by side: where none depends on the text of another, and the decoder
        takes several."""
        alone = options.condition or options.prompt or options.beams > 1 or options.temperatures[0] > 0
        return 1 if alone or not self._several else _AT_ONCE

    def side_by_side(self, pieces: Sequence[Samples], run: Context, timestamps: bool) -> list[Recognized]:
        """Windows whose texts grow side by side, at most `at_once`.

        Each is as by `recognize`, but that the encoder gets as many seconds of each as of the longest.
        """
        wanted = max(self.encoder_seconds(len(samples) / SAMPLE_RATE, run.options) for samples in pieces)
        start = self._begin(self._encode(pieces, wanted, run), pieces, run, timestamps)
        results = _first_try(start, run.options)
        return [
            self._apply_fallbacks(
                samples, replace(start, begun=start.begun.of(i), limits=start.limits[i : i + 1]), result, run
            )
            for i, (samples, result) in enumerate(zip(pieces, results, strict=True))
        ]

    def teacher_forced_logprobs(self, samples: Samples, run: Context, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Log-probabilities of what follows the prompt and each of `tokens`, by the rules: [tokens + 1, vocabulary]."""
        seconds = self.encoder_seconds(len(samples) / SAMPLE_RATE, run.options)
        start = self._begin(self._encode([samples], seconds, run), [samples], run, False)
        text = list(tokens)[: self._context - start.begun.hypotheses.length - 1]
        rows = [start.begun.logits[0]]
        if text:
            rows += list(start.begun.hypotheses.copy().step([text], range(len(text)))[0])
        return log_softmax(start.rules.mask_logits(np.stack(rows), [text[:i] for i in range(len(text) + 1)]))

    def again(self, recognized: Recognized, samples: Samples, run: Context) -> Recognized:
        """A window once more, with times among the tokens: from what the encoder gave for it."""
        start = self._begin(recognized.begun.hypotheses.windows, [samples], run, True)
        return self._apply_fallbacks(samples, start, _first_try(start, run.options)[0], run)

    def tells_gaps(self, options: Options) -> bool:
        """Whether `gap` can tell that words are missing: the decoder gives queries, and decoding is greedy."""
        return self._aligns and options.beams == 1 and options.temperatures[0] == 0

    def gap(self, recognized: Recognized, samples: Samples) -> tuple[float, float]:
        """The longest stretch of a window at which no token of its text looks, in seconds from its start; (0, 0) if
        nothing tells. Where the text has times, the window ends with the last: what follows is another's.
        """
        result, first = recognized.result, self._facts["first_timestamp"]
        if result.queries is None:
            return 0.0, 0.0
        seconds = len(samples) / SAMPLE_RATE
        if result.tokens and result.tokens[-1] > first:
            seconds = min(seconds, (result.tokens[-1] - first) * self._facts["seconds_per_timestamp"])
        looked = looks(result.queries, recognized.begun.hypotheses.keys(self._alignment))
        read = np.sort([0.0, *np.minimum(looked, seconds), seconds])
        at = int(np.diff(read).argmax())
        return float(read[at]), float(read[at + 1])

    def encoder_seconds(self, seconds: float, options: Options) -> float:
        """Seconds that the encoder gets of a sound of `seconds`."""
        if not options.window:
            return window_seconds(seconds, self._window)
        # Whole seconds: some formats hold windows of these lengths alone.
        return max(options.window, min(float(np.ceil(seconds)), 30.0))

    def _apply_fallbacks(self, samples: Samples, start: _Start, result: Result, run: Context) -> Recognized:
        """The result of a window, after all that is tried where it looks wrong."""
        options, first, started = run.options, result.first_token, start.begun.started
        why = self._suspicious(result, options)
        shorter = start.seconds < 30 and options.window is None
        if shorter and (why := why or self._unsure(result, start, options) or echoes(result.tokens)):
            run.fallbacks.append(f"{why}: encoded again at 30 s")
            start = self._begin(self._encode([samples], 30.0, run), [samples], run, start.timestamps)
            result = _first_try(start, options)[0]
            why = self._suspicious(result, options)
        for i, temperature in enumerate(options.temperatures[1:], 1):
            if not why:
                break
            run.fallbacks.append(f"{why}: sampled again at temperature {temperature:g}")
            result = sample(start.begun, start.rules, start.limits[0], temperature, options.best_of, seed=i)
            why = self._suspicious(result, options)
        return Recognized(result, start.begun, started, first, start.timestamps, why)

    def words(
        self, recognized: Recognized, tokens: Sequence[int], samples: NDArray[np.float32], run: Context
    ) -> list[Word]:
        """The words of `tokens`, those of a window's text that are kept; times in seconds from the window's start."""
        return aligned_words(
            recognized.begun.hypotheses,
            [token for token in tokens if token < self._facts["end_of_text"]],
            samples,
            self.tokens,
            Text(self._alignment, self._start(run, False), run.language),
        )

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

    def _unsure(self, result: Result, start: _Start, options: Options) -> str:
        """Why the text of a short window is read again with the whole one, which costs less than a wrong text.

        Not so a text with times: these are less probable than words, and it often stands for a text that lacked words.
        """
        near = options.logprob * (1.0 if start.timestamps else self._window.get("sure", 1.0))
        return "hardly probable" if options.logprob < result.average_logprob < near else ""

    def _begin(self, encoded: Windows, pieces: Sequence[Samples], run: Context, timestamps: bool) -> _Start:
        """Feed the prompt to the encoder's output for `pieces`."""
        prompt = self._prompt(encoded, run, timestamps)
        begun = begin(self._decoder, encoded, prompt, self._facts)
        rules = Rules(self._facts, self._vocabulary, timestamps, encoded.seconds, continued=bool(run.prefix))
        # Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
        most = self.limit if run.most is None else min(self.limit, run.most)
        limits = [
            min(most, 40 + int(15 * len(samples) / SAMPLE_RATE), self._context - len(prompt)) for samples in pieces
        ]
        return _Start(begun, rules, limits, encoded.seconds, timestamps)

    def _encode(self, pieces: Sequence[Samples], seconds: float, run: Context) -> Windows:
        """The encoder's output for windows of `seconds`."""
        run.windows += [round(seconds, 2)] * len(pieces)
        length = min(max(round(seconds * SAMPLE_RATE / (2 * HOP)) * 2 * HOP, 4 * HOP), WINDOW)
        count, seconds = len(pieces), length / SAMPLE_RATE
        if count == 1:  # an answer is compared position by position right after it was given: no need to encode again
            digest = hashlib.sha256(pieces[0].tobytes() + bytes(str(length), "ascii")).digest()
            if digest != self._latest[0]:
                self._latest = b"", {}  # not in memory beside what the encoder gives next
                self._latest = digest, self._encode_window(pieces[0], length)
            return Windows(self._latest[1], seconds, self._blanks)
        rows: dict[str, NDArray[Any]] = {}
        for i, samples in enumerate(pieces):
            _put(self._encode_window(samples, length), i, count, rows)
        cross = {name: array.reshape(-1, *array.shape[2:]) for name, array in rows.items()}
        return Windows(cross, seconds, self._blanks, count)

    def _encode_window(self, samples: Samples, length: int) -> dict[str, NDArray[Any]]:
        padded = np.zeros((1, length), np.float32)
        padded[0, : len(samples)] = samples[:length]
        mel = self._frontend({"audio": padded})["mel"]
        give_back()  # freed memory would lie beside the encoder's tensors: 8 MB at the peak, for a millisecond
        return self._encoder({"mel": mel})

    def _prompt(self, encoded: Windows, run: Context, timestamps: bool) -> list[int]:
        facts, head = self._facts, []
        if run.history:
            head = [facts["start_of_previous"], *run.history[-(self.limit - 1) :]]
        if run.language is None and facts["languages"]:
            run.language, run.language_probability = self._detect(encoded)
        return [*head, *self._start(run, timestamps), *run.prefix]

    def _start(self, run: Context, timestamps: bool) -> list[int]:
        """The prompt without a history."""
        facts = self._facts
        prompt = [facts["start_of_transcript"]]
        if facts["languages"]:
            task = facts["translate"] if run.options.task == "translate" else facts["transcribe"]
            prompt += [facts["languages"][str(run.language)], task]
        return prompt if timestamps else [*prompt, facts["no_timestamps"]]

    def _detect(self, encoded: Windows) -> tuple[str, float]:
        """The most probable language of the first window, and its probability among languages."""
        logits = Hypotheses(self._decoder, encoded.between(0, 1)).step([[self._facts["start_of_transcript"]]], [0])[
            0, 0
        ]
        codes = list(self._facts["languages"])
        scores = logits[[self._facts["languages"][code] for code in codes]]
        odds = np.exp(scores - scores.max())
        best = int(odds.argmax())
        return codes[best], float(odds[best] / odds.sum())


def _put(made: Mapping[str, NDArray[Any]], row: int, rows: int, into: dict[str, NDArray[Any]]) -> None:
    """Copy arrays to a row of larger ones, so that no more than one window lies in memory twice."""
    for name, array in made.items():
        if name not in into:
            into[name] = np.empty((rows, *array.shape), array.dtype)
        into[name][row] = array


def _first_try(start: _Start, options: Options) -> list[Result]:
    """At the first temperature; beams are for temperature 0 only, as in the original."""
    begun, rules, limits = start.begun, start.rules, start.limits
    temperature = options.temperatures[0]
    if temperature > 0:
        return [sample(begun, rules, limits[0], temperature, options.best_of, seed=0)]
    if options.beams > 1:
        return [beam_search(begun, rules, limits[0], options.beams)]
    return greedy(begun, rules, limits)


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
