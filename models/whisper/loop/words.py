"""The times of words, from the heads of cross-attention that follow the sound.

After whisper/timing.py: the decoder reads the finished text once more; dynamic time warping finds the path through its
attention that goes forward in text and sound. One rule is added: a pause belongs to no word (`_trim`).
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts
from edgekit.models.whisper.loop.decoding import log_softmax
from edgekit.models.whisper.loop.hypotheses import Hypotheses
from edgekit.models.whisper.loop.tokens import Tokens
from edgekit.models.whisper.shapes import SAMPLE_RATE

#: Positions of the encoder a second, and positions that the median filter of an attention looks at.
_RATE, _MEDIAN = 50, 7
#: Marks that belong to the word after them, and to the word before them.
_PREPENDED, _APPENDED = "\"'“¿([{-", "\"'.。,,!!??::”)]}、"
#: Languages that put no spaces between words.
_UNSPACED = ("zh", "ja", "th", "lo", "my", "yue")
#: Samples of a frame of energy (10 ms), and how far above the quiet speech is, as a share of the range in dB.
_FRAME, _ABOVE = 160, 0.25
#: Seconds: the shortest pause, how far from a border of the attention it may lie, and what a word keeps at least.
_PAUSE, _REACH, _LEAST = 0.08, 0.35, 0.02


@dataclass(frozen=True)
class Word:
    """A word, as the text has it (with its space in front), its times in seconds, and its mean probability; the tokens
    that the network wrote it with."""

    word: str
    start: float
    end: float
    probability: float
    tokens: tuple[int, ...] = ()

    def facts(self, begin: float = 0.0) -> Facts:
        """As callers get it: without spaces around it, its times counted from `begin` on."""
        start, end = round(begin + self.start, 3), round(begin + self.end, 3)
        return {"word": self.word.strip(), "start": start, "end": end, "probability": self.probability}


class Text(NamedTuple):
    """What a text was written with: (layer, head) of each of the decoder's alignment queries, the tokens before it, and
    its language."""

    heads: Sequence[tuple[int, int]]
    prompt: Sequence[int]
    language: str | None


def aligned_words(
    hypotheses: Hypotheses,
    tokens: Sequence[int],
    samples: NDArray[np.float32],
    tokenizer: Tokens,
    text: Text,
) -> list[Word]:
    """The words of a window; times count from its start.

    Args:
        hypotheses: of the window, without tokens.
        tokens: the text's tokens, without timestamps.
        samples: float32 [samples] at 16 kHz, the sound of the window.
        text: what the words are of.
    """
    if not tokens:
        return []
    prompt = list(text.prompt)
    logits, queries = hypotheses.read([*prompt, *tokens, tokenizer.eot])
    odds = log_softmax(logits[len(prompt) - 1 : -2, : tokenizer.eot])
    probabilities = np.exp(odds[np.arange(len(tokens)), list(tokens)])
    positions = min(max(len(samples) * _RATE // SAMPLE_RATE, 1), hypotheses.positions)
    attention = _attention(queries, hypotheses.keys(text.heads), positions)
    rows, columns = warp(-attention[len(prompt) - 1 : -1])
    # A token begins where its row begins; the end of the text begins where the last token ends.
    begins = columns[np.flatnonzero(np.diff(rows, prepend=-1))] / _RATE
    words, at = [], 0
    for group in words_of(tokens, tokenizer, spaced=text.language not in _UNSPACED):
        after = at + len(group)
        probability = float(probabilities[at:after].mean())
        times = float(begins[at]), float(begins[after])
        words.append(Word(tokenizer.text(group), *times, probability, tuple(group)))
        at = after
    return _trim(_merge_punctuation(words), samples)


def looks(queries: NDArray[Any], keys: NDArray[Any]) -> NDArray[np.float64]:
    """Where each token looks, in seconds from the window's start: the median of its attention, the mean of its heads.

    Args:
        queries: [A, L, D]. keys: [A, D, T].
    """
    # Not by BLAS, whose threads would wait for those of the runtime.
    scores = np.einsum("ald,adt->alt", queries, keys)
    mass = np.cumsum(np.exp(log_softmax(scores)).mean(0), -1)
    positions: NDArray[np.float64] = (mass < mass[:, -1:] / 2).sum(-1) / _RATE
    return positions


def _attention(queries: NDArray[Any], keys: NDArray[Any], positions: int) -> NDArray[np.float32]:
    """How much each token looks at each position, float32 [L, positions]: normalized over tokens, smoothed over time,
    averaged over heads. Queries [A, L, D], keys [A, D, T]."""
    scores = queries @ keys[:, :, :positions]
    weights = np.exp(log_softmax(scores.astype(np.float32)))
    weights = (weights - weights.mean(1, keepdims=True)) / (weights.std(1, keepdims=True) + 1e-9)
    reach = min(_MEDIAN // 2, positions - 1)
    padded = np.pad(weights, ((0, 0), (0, 0), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=2)
    smooth: NDArray[np.float32] = np.median(windows, axis=3).mean(0)
    return smooth


def warp(costs: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dynamic time warping (Sakoe & Chiba 1978): the cheapest path through `costs` [N, M] from the first corner to the
    last, each step to the next row, the next column or both; its rows and columns."""
    count, length = costs.shape
    total = np.full((count + 1, length + 1), np.inf)
    total[0, 0] = 0
    # Along an antidiagonal no entry needs another: all are found at once.
    for diagonal in range(2, count + length + 1):
        i = np.arange(max(1, diagonal - length), min(count, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(np.minimum(total[i - 1, j - 1], total[i - 1, j]), total[i, j - 1])
        total[i, j] = costs[i - 1, j - 1] + before
    path, row, column = [], count, length
    while row and column:
        path.append((row - 1, column - 1))
        both, down, right = total[row - 1, column - 1], total[row - 1, column], total[row, column - 1]
        if both < down and both < right:
            row, column = row - 1, column - 1
        elif down < both and down < right:
            row -= 1
        else:
            column -= 1
    rows, columns = np.array(path[::-1], np.int64).T
    return rows, columns


def words_of(tokens: Sequence[int], tokenizer: Tokens, *, spaced: bool) -> list[list[int]]:
    """Tokens by word. A word begins with a space, or is a mark; without spaces, each whole character is a word."""
    words: list[list[int]] = []
    for group in _characters(tokens, tokenizer):
        text = tokenizer.text(group)
        begins = not spaced or text.startswith(" ") or text.strip() in string.punctuation
        if begins or not words:
            words.append(group)
        else:
            words[-1] += group
    return words


def _characters(tokens: Sequence[int], tokenizer: Tokens) -> list[list[int]]:
    """Tokens in the smallest groups that are whole characters. A half character stays with what follows it."""
    groups: list[list[int]] = [[]]
    for token in tokens:
        groups[-1].append(token)
        if "\ufffd" not in tokenizer.text(groups[-1]):
            groups.append([])
    return [group for group in groups if group]


def _merge_punctuation(words: list[Word]) -> list[Word]:
    """Marks joined to their word, which keeps its own times."""
    joined: list[Word] = []
    pending: list[Word] = []
    for word in words:
        mark = word.word.strip()
        if joined and mark and mark in _APPENDED and not word.word.startswith(" "):
            joined[-1] = _join_words(joined[-1], [joined[-1], word])
        elif word.word.startswith(" ") and mark and mark in _PREPENDED:
            pending.append(word)
        else:
            joined.append(_join_words(word, [*pending, word]))
            pending = []
    return joined


def _join_words(word: Word, parts: Sequence[Word]) -> Word:
    """`word` with the letters and tokens of `parts`."""
    tokens = tuple(token for part in parts for token in part.tokens)
    return replace(word, word="".join(part.word for part in parts), tokens=tokens)


def _trim(words: list[Word], samples: NDArray[np.float32]) -> list[Word]:
    """Words without the pauses between them. Attention gives a pause to a neighbour, and finds the end of a word early
    or late: the longest pause about a border becomes the border."""
    loud = _loud(samples)
    edges = [[word.start, word.end] for word in words]
    voiced = np.flatnonzero(loud) * _FRAME / SAMPLE_RATE
    if words and len(voiced):
        edges[0][0] = min(max(edges[0][0], float(voiced[0])), edges[0][1])
        edges[-1][1] = max(min(edges[-1][1], float(voiced[-1]) + _FRAME / SAMPLE_RATE), edges[-1][0])
    pauses = _pauses(loud)
    for before, after in itertools.pairwise(edges):
        early, late = max(after[0] - _REACH, before[0] + _LEAST), min(after[0] + _REACH, after[1] - _LEAST)
        near = [(end - begin, begin, end) for begin, end in pauses if begin < late and end > early]
        if near:
            _, begin, end = max(near)
            before[1], after[0] = max(begin, before[0] + _LEAST), min(end, max(after[1] - _LEAST, begin))
    return [
        replace(word, start=round(start, 3), end=round(max(start, end), 3))
        for word, (start, end) in zip(words, edges, strict=True)
    ]


def _pauses(loud: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Begin and end, in seconds, of each run of quiet frames between louder ones, if it is too long for a closure in a
    word."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))[1:-1]
    runs = turns.reshape(-1, 2) * _FRAME / SAMPLE_RATE
    return [(float(begin), float(end)) for begin, end in runs if end - begin >= _PAUSE]


def _loud(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which frames of 10 ms are speech by their energy, between the window's quietest and loudest."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    level = 10 * np.log10((frames**2).mean(1) + 1e-10)
    if not len(level):
        return np.zeros(0, bool)
    quiet, top = np.percentile(level, (10, 95))
    loud: NDArray[np.bool_] = level > quiet + _ABOVE * (top - quiet)
    return loud
