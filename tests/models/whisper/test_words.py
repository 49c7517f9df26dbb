"""The times of words: the warping, the grouping of tokens, and the border that a pause makes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_whisper import ToyWhisper
from numpy.typing import NDArray

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.models.whisper.loop.hypotheses import Hypotheses, Windows
from edgekit.models.whisper.loop.tokens import Tokens
from edgekit.models.whisper.loop.words import Text, Word, aligned_words, warp, words_of

RATE = 16_000


def brute(costs: NDArray[np.float64]) -> float:
    """The least cost of any path through a small matrix."""
    count, length = costs.shape
    best = np.full(costs.shape, np.inf)
    for i, j in itertools.product(range(count), range(length)):
        before = [best[a, b] for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]
        best[i, j] = costs[i, j] + (min(before) if before else 0.0)
    return float(best[-1, -1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (4, 4), (3, 17), (9, 2)])
def test_the_path_is_the_cheapest_and_never_goes_back(shape: tuple[int, int]) -> None:
    costs = np.random.default_rng(sum(shape)).standard_normal(shape)
    rows, columns = warp(costs)
    assert (rows[0], columns[0]) == (0, 0) and (rows[-1], columns[-1]) == (shape[0] - 1, shape[1] - 1)
    for steps in (np.diff(rows), np.diff(columns)):
        assert ((steps == 0) | (steps == 1)).all()
    assert costs[rows, columns].sum() == pytest.approx(brute(costs))


def test_tokens_by_word(toy_whisper: ToyWhisper) -> None:
    tokens = Tokens(toy_whisper.folder / "tokenizer.json")
    ids = toy_whisper.ids(" one two, thr\u00e9e")
    texts = [tokens.text(group) for group in words_of(ids, tokens, spaced=True)]
    assert texts == [" one", " two", ",", " thr\u00e9e"]
    letters = [tokens.text(group) for group in words_of(toy_whisper.ids("\u4f60\u597d"), tokens, spaced=False)]
    assert letters == ["\u4f60", "\u597d"]


class Follower(Runner):
    """A decoder whose only head looks, for the n-th token of the text, at the positions from `at[n]` to `at[n + 1]`."""

    def __init__(self, at: list[int], vocabulary: int, positions: int, prompt: int) -> None:
        self.inputs = (TensorSpec("past_key_0", "float32", ("hypotheses", 1, "past", positions)),)
        self.outputs = ()
        self._at, self._vocabulary, self._positions, self._prompt = at, vocabulary, positions, prompt

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        length = feeds["tokens"].shape[1]
        queries = np.zeros((1, 1, length, self._positions), np.float32)
        for row in range(length):
            n = min(max(row - self._prompt + 1, 0), len(self._at) - 1)
            end = self._at[n + 1] if n + 1 < len(self._at) else self._positions
            queries[0, 0, row, self._at[n] : max(end, self._at[n] + 1)] = 30.0
        past = np.zeros((1, 1, length, self._positions), np.float32)
        logits = np.zeros((1, length, self._vocabulary), np.float32)
        return {"logits": logits, "present_key_0": past, "alignment_queries": queries}


def times(toy: ToyWhisper, at: list[int], sound: NDArray[np.float32], text: str) -> list[Word]:
    positions = len(sound) // 320
    tokens = Tokens(toy.folder / "tokenizer.json")
    decoder = Follower(at, toy.shape.vocabulary, positions, 3)
    cross = {"cross_key_0": np.eye(positions, dtype=np.float32)[None]}
    written = Text([(0, 0)], [tokens.sot, tokens.sot + 1, tokens.no_timestamps], "en")
    return aligned_words(Hypotheses(decoder, Windows(cross, 30.0)), toy.ids(text), sound, tokens, written)


def loud(spans: list[tuple[float, float]], seconds: float) -> NDArray[np.float32]:
    sound = 1e-4 * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    for start, end in spans:
        piece = slice(round(start * RATE), round(end * RATE))
        sound[piece] += 0.3 * np.sin(np.arange(piece.stop - piece.start) * 0.3)
    return sound.astype(np.float32)


def test_words_follow_the_attention_and_lose_their_pauses(toy_whisper: ToyWhisper) -> None:
    sound = loud([(0.5, 1.0), (1.6, 2.1)], 3.0)
    # " a" from 0.5 s on, " b" from 1.2 s on, in the pause: attention often lies there.
    words = times(toy_whisper, [25, 40, 60, 80, 105], sound, " a b")
    assert [word.word for word in words] == [" a", " b"]
    assert [(word.start, word.end) for word in words] == [
        (pytest.approx(0.5, abs=0.03), pytest.approx(1.0, abs=0.03)),
        (pytest.approx(1.6, abs=0.03), pytest.approx(2.1, abs=0.03)),
    ]


def test_words_keep_the_tokens_that_wrote_them(toy_whisper: ToyWhisper) -> None:
    """Also those of the marks that are joined to them."""
    text = " so -a b, c!"
    words = times(toy_whisper, [*range(0, 140, 10)], loud([(0.2, 2.8)], 3.0), text)
    assert [word.word for word in words] == [" so", " -a", " b,", " c!"]
    assert [toy_whisper.ids(word.word) for word in words] == [[*word.tokens] for word in words]
    assert "tokens" not in words[0].facts()


def test_words_are_in_order_whatever_the_sound(toy_whisper: ToyWhisper) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        at = sorted(rng.integers(0, 140, 9).tolist())
        sound = (rng.standard_normal(3 * RATE) * np.repeat(rng.random(30), RATE // 10)).astype(np.float32)
        words = times(toy_whisper, at, sound, " ab cd ef")
        edges = [edge for word in words for edge in (word.start, word.end)]
        assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= 3.0


def test_silence_and_no_text(toy_whisper: ToyWhisper) -> None:
    assert times(toy_whisper, [0, 0], np.zeros(RATE, np.float32), "") == []
    (word,) = times(toy_whisper, [5, 9, 20], np.zeros(RATE, np.float32), " a")
    assert 0 <= word.start <= word.end <= 1


def test_a_bundle_of_before_says_so(toy_whisper: ToyWhisper) -> None:
    class Silent(Follower):
        def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
            return {name: array for name, array in super().__call__(feeds).items() if name != "alignment_queries"}

    decoder = Silent([0], toy_whisper.shape.vocabulary, 50, 3)
    with pytest.raises(BadInput, match="times of words"):
        Hypotheses(decoder, Windows({"cross_key_0": np.eye(50, dtype=np.float32)[None]}, 30.0)).read([1, 2])
