"""Windows whose texts grow side by side, over a decoder that reads from each window what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_whisper import EOT, VOCABULARY, ToyWhisper
from numpy.typing import NDArray

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.models.whisper.loop.decoding import Begun, Rules, begin, greedy
from edgekit.models.whisper.loop.hypotheses import Windows

A, B, C, D = 65, 66, 67, 68


class Speakers(Runner):
    """A decoder of windows with a head each, which holds the number of the text that the window says; counts rows."""

    outputs = ()

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self.inputs = (TensorSpec("past_key_0", "float32", ("hypotheses", 1, "past", 1)),)
        self.texts, self.rows = texts, list[int]()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        tokens, past = feeds["tokens"], feeds["past_key_0"]
        present = np.concatenate([past, tokens[:, None, :, None].astype(np.float32)], axis=2)
        self.rows.append(len(tokens))
        logits = np.full((len(tokens), len(feeds["select"]), VOCABULARY), -20.0, np.float32)
        done = past.shape[2] + tokens.shape[1] - 4
        for row, window in enumerate(feeds["cross_key_0"][:, 0, 0].astype(int)):
            text = self.texts[window]
            logits[row, -1, text[done] if done < len(text) else EOT] = 0
        return {"logits": logits, "present_key_0": present}


def side_by_side(toy: ToyWhisper, texts: Sequence[Sequence[int]]) -> tuple[Begun, Rules, Speakers]:
    facts, decoder = toy.tokens, Speakers(texts)
    prompt = [facts["start_of_transcript"], facts["languages"]["en"], facts["transcribe"], facts["no_timestamps"]]
    windows = Windows({"cross_key_0": np.arange(len(texts), dtype=np.float32)[:, None, None]}, 30.0, count=len(texts))
    return begin(decoder, windows, prompt, facts), Rules(facts, VOCABULARY, False, 30.0), decoder


def test_windows_side_by_side_say_what_each_says(toy_whisper: ToyWhisper) -> None:
    texts = [[A], [B, C, D, A], [C, C], [D, A, B], [B]]
    start, rules, decoder = side_by_side(toy_whisper, texts)
    results = greedy(start, rules, [20] * 5)
    # The prompt and a token of each; then those at the edges are left out as they end, and the third runs along idly.
    assert decoder.rows == [5, 5, 3, 3, 1]
    assert [result.tokens for result in results] == texts
    assert all(result.complete for result in results)
    for i, result in enumerate(results):
        (alone,) = greedy(start.of(i), rules, [20])
        assert (alone.tokens, alone.average_logprob) == (result.tokens, pytest.approx(result.average_logprob))


def test_each_window_has_its_own_limit(toy_whisper: ToyWhisper) -> None:
    start, rules, decoder = side_by_side(toy_whisper, [[A] * 9, [B] * 9])
    results = greedy(start, rules, [2, 5])
    assert [result.tokens for result in results] == [[A] * 2, [B] * 5]
    assert not any(result.complete for result in results)
    assert decoder.rows == [2, 2, 1, 1, 1]
