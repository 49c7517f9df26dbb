"""A window of sound to tokens: the encoder, the prompt, and what is tried again where the result looks wrong."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Runner
from edgekit.models.whisper.loop.decoding import Begun, Hypotheses, Result, Rules, Window, beam_search, begin, sample
from edgekit.models.whisper.loop.options import Options
from edgekit.models.whisper.loop.tokens import Tokens
from edgekit.models.whisper.loop.words import Word, aligned_words
from edgekit.models.whisper.shapes import HOP, SAMPLE_RATE, WINDOW

__all__ = ["Context", "Recognized", "Recognizer", "echoes", "window_seconds"]


@dataclass
class Context:
    """What one window of a sound leaves for the next, and what was done about it.

    Attributes:
        language: code; None until it is detected. history: tokens of the text before, to condition on.
        prefix: tokens that the window's text begins with, whatever the network says; they are not in its answer.
        windows: seconds that the encoder got, each time. fallbacks: why something was tried again.
    """

    options: Options
    language: str | None
    language_probability: float | None = None
    history: list[int] = field(default_factory=list)
    prefix: list[int] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Recognized:
    """The tokens of a window, and the state from which they came.

    Attributes:
        started: time of `time.perf_counter` at which the encoder was done.
        first_token: seconds from there to the first token.
    """

    result: Result
    begun: Begun
    started: float
    first_token: float

    @property
    def tokens(self) -> list[int]:
        return self.result.tokens

    def silent(self, options: Options) -> bool:
        """Whether the network says that nobody speaks, and is not sure of the words that it gave all the same."""
        return self.result.no_speech > options.no_speech and self.result.average_logprob <= options.logprob


class Recognizer:
    """The three parts of a Whisper over one window at a time."""

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> None:
        self._frontend, self._encoder, self._decoder = parts["frontend"], parts["encoder"], parts["decoder"]
        self._all, self._facts = facts, facts["tokens"]
        self._window = facts["window"]
        self._vocabulary = int(facts["vocabulary"])
        self._context = int(facts["text_context"])
        self._blanks = int(facts.get("blanks", 0))
        self.limit = self._context // 2
        self.tokens = Tokens(folder / "tokenizer.json")

    def recognize(self, samples: NDArray[np.float32], run: Context, timestamps: bool) -> Recognized:
        """One window with fallbacks: a longer encoder window first, then rising temperatures.

        Args:
            samples: float32 [samples] at 16 kHz, at most 30 s. timestamps: whether times are wanted among the tokens.
        """
        options, seconds = run.options, len(samples) / SAMPLE_RATE
        # Whole seconds: some formats hold windows of these lengths alone.
        least = max(options.window, min(float(np.ceil(seconds)), 30.0)) if options.window else 0.0
        wanted = least or window_seconds(seconds, self._window)
        begun, rules, limit = self._begin(samples, wanted, run, timestamps, seconds)
        result = _first_try(begun, rules, limit, options)
        started, first = begun.started, result.first_token
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
        return Recognized(result, begun, started, first)

    def words(
        self, recognized: Recognized, tokens: Sequence[int], samples: NDArray[np.float32], run: Context
    ) -> list[Word]:
        """The words of `tokens`, those of a window's text that are kept; times in seconds from the window's start."""
        return aligned_words(
            recognized.begun.hypotheses,
            [token for token in tokens if token < self._facts["end_of_text"]],
            samples,
            self.tokens,
            {"heads": self._all.get("alignment", ()), "prompt": self._start(run, False), "language": run.language},
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

    def _begin(
        self, samples: NDArray[np.float32], window: float, run: Context, timestamps: bool, seconds: float
    ) -> tuple[Begun, Rules, int]:
        run.windows.append(round(window, 2))
        encoded = self._encode(samples, window)
        prompt = self._prompt(encoded, run, timestamps)
        begun = begin(self._decoder, encoded, prompt, self._facts)
        rules = Rules(self._facts, self._vocabulary, timestamps, encoded.seconds, continued=bool(run.prefix))
        # Nobody speaks fifteen tokens a second: a decoder that does is looping, and is stopped early.
        limit = min(self.limit, 40 + int(15 * seconds), self._context - len(prompt))
        return begun, rules, limit

    def _encode(self, samples: NDArray[np.float32], window: float) -> Window:
        length = min(max(round(window * SAMPLE_RATE / (2 * HOP)) * 2 * HOP, 4 * HOP), WINDOW)
        padded = np.zeros((1, length), np.float32)
        padded[0, : len(samples)] = samples[:length]
        mel = self._frontend({"audio": padded})["mel"]
        return Window(self._encoder({"mel": mel}), length / SAMPLE_RATE, self._blanks)

    def _prompt(self, encoded: Window, run: Context, timestamps: bool) -> list[int]:
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
