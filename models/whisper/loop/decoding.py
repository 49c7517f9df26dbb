"""Whisper's decoding of one window: logit rules, greedy, sampling, beam search (whisper/decoding.py, arXiv:2212.04356).

Everything here is numpy over logits; the network is the ``decoder`` part, called through `Hypotheses`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Runner
from edgekit.models.whisper.loop.hypotheses import Hypotheses, Logits, Windows
from edgekit.models.whisper.loop.tokens import TokenFacts


@dataclass(frozen=True)
class Result:
    """One decoded window.

    Attributes:
        tokens: sampled ids without prompt and end of text. average_logprob: per token, end of text included, as the
        original defines it. no_speech: probability of the no-speech token at the first position.
        complete: False where the length limit cut it off. first_token: seconds from the start of the decoding.
        queries: of greedy decoding, where the decoder gives them: the alignment queries [A, L, D] from which each token
            and the end of the text came.
    """

    tokens: list[int]
    average_logprob: float
    no_speech: float
    temperature: float
    complete: bool
    first_token: float
    queries: NDArray[Any] | None = None


class Rules:
    """What must not be sampled next.

    Args:
        facts: the ``tokens`` facts of the manifest. timestamps: whether timestamp tokens are wanted.
        seconds: length of the window: no timestamp lies behind it.
        continued: the text has begun already, so that it may end at once.
    """

    def __init__(
        self, facts: TokenFacts, vocabulary: int, timestamps: bool, seconds: float, continued: bool = False
    ) -> None:
        self.eot = facts["end_of_text"]
        self._first = facts["first_timestamp"]
        self._timestamps = timestamps
        never = np.zeros(vocabulary, np.float32)
        never[facts["suppress"]] = -np.inf
        if timestamps:
            never[facts["no_timestamps"]] = -np.inf
        never[self._first + round(seconds / facts["seconds_per_timestamp"]) + 1 :] = -np.inf
        self._never = never
        self._begin = [] if continued else list(facts["suppress_at_begin"])
        # The original allows the first timestamp to lie at most one second into the window.
        self._latest_start = self._first + round(1.0 / facts["seconds_per_timestamp"])

    def mask_logits(self, logits: Logits, sampled: Sequence[Sequence[int]]) -> Logits:
        """Logits [B, vocabulary] with forbidden tokens at minus infinity, from what each hypothesis sampled so far."""
        out = logits + self._never
        for row, tokens in zip(out, sampled, strict=True):
            if not tokens:
                row[self._begin] = -np.inf
            if self._timestamps:
                self._time(row, tokens)
        return out

    def _time(self, row: Logits, tokens: Sequence[int]) -> None:
        """Timestamps come in pairs, never go back, and open the transcript."""
        first = self._first
        if not tokens:
            row[:first] = -np.inf
            row[self._latest_start + 1 :] = -np.inf
            return
        last = tokens[-1] >= first
        before = len(tokens) < 2 or tokens[-2] >= first
        if last and before:
            row[first:] = -np.inf
        elif last:
            row[: self.eot] = -np.inf
        stamps = [t for t in tokens if t >= first]
        if stamps:
            # A segment has a length, so its end lies after its start; a start may equal the end before it.
            row[first : stamps[-1] + (0 if last and not before else 1)] = -np.inf
        top = row.max()
        stamp_mass = top + np.log(np.exp(row[first:] - top).sum() + 1e-30)
        if stamp_mass > row[:first].max():
            row[:first] = -np.inf


def log_softmax(logits: Logits) -> Logits:
    """Along the last axis, float32."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    out: Logits = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return out


@dataclass
class Begun:
    """A prompt that has been fed to one window or several.

    Attributes:
        hypotheses: of each window. logits: float32 [windows, vocabulary] after the prompt. no_speech: probability of
            the no-speech token, float32 [windows]. started: time of `time.perf_counter` before.
    """

    hypotheses: Hypotheses
    logits: Logits
    no_speech: NDArray[np.float32]
    started: float

    def of(self, window: int) -> Begun:
        """One of the windows."""
        hypotheses = self.hypotheses.between(window, window + 1)
        only = slice(window, window + 1)
        return Begun(hypotheses, self.logits[only], self.no_speech[only], self.started)


def begin(decoder: Runner, windows: Windows, prompt: Sequence[int], facts: TokenFacts) -> Begun:
    """Feed `prompt` (which holds the start-of-transcript token) to every window."""
    started = time.perf_counter()
    hypotheses = Hypotheses(decoder, windows)
    sot = list(prompt).index(facts["start_of_transcript"])
    logits = hypotheses.step([prompt] * windows.count, [sot, len(prompt) - 1])
    no_speech = np.exp(log_softmax(logits[:, 0])[:, facts["no_speech"]])
    return Begun(hypotheses, logits[:, 1], no_speech, started)


def greedy(begun: Begun, rules: Rules, limits: Sequence[int]) -> list[Result]:
    """The likeliest token at every position, for all windows of `begun` side by side: weights are read once for all.

    Args:
        limits: the most tokens to sample of each window.
    """
    texts: list[list[int]] = [[] for _ in limits]
    scores, complete, done = [0.0] * len(limits), [False] * len(limits), [False] * len(limits)
    queries: list[list[NDArray[Any]]] = [[] for _ in limits]
    first, last = 0, len(limits)  # those that are not done are among these
    hypotheses, logits = begun.hypotheses.copy(), begun.logits
    token_after = 0.0
    while True:
        for i in range(first, last):
            if done[i]:
                continue
            queries[i] += hypotheses.queries(i - first)
            row = rules.mask_logits(logits[i - first : i - first + 1], [texts[i]])[0]
            token = int(row.argmax())
            scores[i] -= float(np.log(np.exp(row - row[token]).sum()))
            complete[i] = token == rules.eot
            if not complete[i]:
                texts[i].append(token)
            done[i] = complete[i] or len(texts[i]) >= limits[i]
        token_after = token_after or time.perf_counter() - begun.started
        rest = [i for i, over in enumerate(done) if not over]
        if not rest:
            break
        hypotheses = hypotheses.between(rest[0] - first, rest[-1] + 1 - first)
        first, last = rest[0], rest[-1] + 1
        # What is done and lies between others goes on with an end of text that nobody reads.
        logits = hypotheses.step([[rules.eot if done[i] else texts[i][-1]] for i in range(first, last)], [0])[:, 0]
    averages = [score / (len(text) + 1) for score, text in zip(scores, texts, strict=True)]
    return [
        Result(text, average, float(no_speech), 0.0, whole, token_after, np.stack(looks, 1) if looks else None)
        for text, average, no_speech, whole, looks in zip(
            texts, averages, begun.no_speech, complete, queries, strict=True
        )
    ]


def sample(begun: Begun, rules: Rules, limit: int, temperature: float, count: int, seed: int) -> Result:
    """The most probable of `count` samples about one window.

    Args:
        limit: most tokens to sample. temperature: above 0.
        seed: of the sampling, so that a second run gives the same text.
    """
    rng = np.random.default_rng(seed)
    hypotheses, logits = begun.hypotheses.copy(), begun.logits
    hypotheses.keep([0] * count)
    logits = np.repeat(logits, count, axis=0)
    tokens: list[list[int]] = [[] for _ in range(count)]
    scores, done = [0.0] * count, [False] * count
    first = 0.0
    for _ in range(limit):
        ruled = rules.mask_logits(logits, tokens)
        logprobs = log_softmax(ruled)
        noise = rng.gumbel(size=ruled.shape).astype(np.float32)
        chosen = (ruled / np.float32(temperature) + noise).argmax(axis=-1)
        first = first or time.perf_counter() - begun.started
        for i, token in enumerate(chosen.tolist()):
            if not done[i]:
                scores[i] += float(logprobs[i, token])
                done[i] = token == rules.eot
                if not done[i]:
                    tokens[i].append(token)
        if all(done):
            break
        logits = hypotheses.step([[int(t)] for t in chosen], [0])[:, 0]
    # As in the original, the choice is by length without the end of text, the report by length with it.
    best = int(np.argmax([score / max(len(t), 1) for score, t in zip(scores, tokens, strict=True)]))
    average = scores[best] / (len(tokens[best]) + 1)
    return Result(tokens[best], average, float(begun.no_speech[0]), temperature, done[best], first)


def beam_search(begun: Begun, rules: Rules, limit: int, beams: int) -> Result:
    """Beam search as the original does it (patience 1): stop when `beams` sequences have ended."""
    hypotheses, logits = begun.hypotheses.copy(), begun.logits
    alive: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple[float, list[int]]] = []
    first = 0.0
    for _ in range(limit):
        logprobs = log_softmax(rules.mask_logits(logits, [tokens for _, tokens in alive]))
        candidates = []
        for row, (score, tokens) in enumerate(alive):
            top = np.argpartition(-logprobs[row], beams)[: beams + 1]
            candidates += [(score + float(logprobs[row, t]), row, [*tokens, int(t)]) for t in top.tolist()]
        candidates.sort(key=lambda candidate: -candidate[0])
        first = first or time.perf_counter() - begun.started
        alive, rows = [], []
        for score, row, tokens in candidates:
            if not np.isfinite(score):
                break
            if tokens[-1] == rules.eot:
                ended.append((score, tokens[:-1]))
            else:
                alive.append((score, tokens))
                rows.append(row)
            if len(alive) == beams:
                break
        if len(ended) >= beams or not alive:
            break
        hypotheses.keep(rows)
        logits = hypotheses.step([[tokens[-1]] for _, tokens in alive], [0])[:, 0]
    # As in the original, the best unended ones fill up the pool, so that a bad early end does not win at the limit.
    pool = [*((*item, True) for item in ended), *((*item, False) for item in alive)][:beams]
    score, tokens, complete = max(pool, key=lambda item: item[0] / max(len(item[1]), 1))
    return Result(tokens, score / (len(tokens) + 1), float(begun.no_speech[0]), 0.0, complete, first)
