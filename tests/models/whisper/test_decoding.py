"""Rules against transformers' processors; greedy, sampling and beam search over scripted logits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_whisper import EOT, VOCABULARY, Script, ScriptedDecoder, ToyWhisper
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.models.whisper.loop.decoding import (
    Begun,
    Rules,
    beam_search,
    begin,
    greedy,
    log_softmax,
    sample,
)
from edgekit.models.whisper.loop.hypotheses import Hypotheses, Windows

WINDOW = Windows({}, 30.0)


def histories(first: int, random: np.random.Generator, count: int) -> list[list[int]]:
    """What decoders sample, and what they never would: the rules must hold for both."""
    out: list[list[int]] = [[], [first], [first + 20, 5], [first, 5, first + 9], [first, 5, first + 9, first + 9]]
    out += [[5], [5, 6], [first, 5, first + 1500], [first + 3, 7, 8, first + 40, first + 41, 9]]
    for _ in range(count):
        length, at, tokens = int(random.integers(1, 12)), 0, []
        for _ in range(length):
            if random.random() < 0.4:
                at = min(at + int(random.integers(0, 90)), 1500)
                tokens.append(first + at)
            else:
                tokens.append(int(random.integers(0, 250)))
        out.append(tokens)
    return out


def processed(
    facts: Any, vocabulary: int, logits: NDArray[np.float32], tokens: Sequence[int], timestamps: bool
) -> NDArray[np.float32]:
    """What transformers makes of the logits, in the order of the original (blank, suppressed, timestamps).

    Read side by side with openai/whisper's decoding.py: SuppressBlank, SuppressTokens and ApplyTimestampRules are the
    same rules as these three processors (transformers 5), so agreeing with one is agreeing with both.
    """
    import torch
    from transformers.generation.logits_process import (
        SuppressTokensAtBeginLogitsProcessor,
        SuppressTokensLogitsProcessor,
        WhisperTimeStampLogitsProcessor,
    )

    config = SimpleNamespace(
        no_timestamps_token_id=facts["no_timestamps"],
        eos_token_id=facts["end_of_text"],
        bos_token_id=facts["end_of_text"],
        max_initial_timestamp_index=50,
    )
    ids = torch.tensor([[facts["start_of_transcript"], *tokens]])
    scores = torch.from_numpy(logits.copy())[None]
    scores = SuppressTokensAtBeginLogitsProcessor(facts["suppress_at_begin"], 1)(ids, scores)
    scores = SuppressTokensLogitsProcessor(facts["suppress"])(ids, scores)
    if timestamps:
        scores = WhisperTimeStampLogitsProcessor(config, begin_index=1)(ids, scores)
    out: NDArray[np.float32] = scores[0].numpy()
    return out


@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize("spread", [1.0, 6.0])
def test_rules_are_those_of_the_original(toy_whisper: ToyWhisper, timestamps: bool, spread: float) -> None:
    random = np.random.default_rng(11)
    facts = toy_whisper.tokens
    rules = Rules(facts, VOCABULARY, timestamps, 30.0)
    forced = 0
    for tokens in histories(facts["first_timestamp"], random, 60):
        logits = (spread * random.standard_normal(VOCABULARY)).astype(np.float32)
        logits[: facts["first_timestamp"]] += random.choice([0, 4, 8, 12])
        expected = processed(facts, VOCABULARY, logits, tokens, timestamps)
        actual = rules.mask_logits(logits[None], [tokens])[0]
        np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected), err_msg=str(tokens))
        allowed = np.isfinite(expected)
        np.testing.assert_array_equal(actual[allowed], expected[allowed])
        forced += bool(tokens) and not allowed[: facts["first_timestamp"]].any()
    assert not timestamps or forced > 3  # the mass of the timestamps won a few times, and not always
    assert forced < 60


def test_rules_look_at_each_hypothesis(toy_whisper: ToyWhisper) -> None:
    random = np.random.default_rng(2)
    first = toy_whisper.tokens["first_timestamp"]
    rules = Rules(toy_whisper.tokens, VOCABULARY, True, 30.0)
    rows = histories(first, random, 5)
    logits = random.standard_normal((len(rows), VOCABULARY)).astype(np.float32)
    before = logits.copy()
    together = rules.mask_logits(logits, rows)
    np.testing.assert_array_equal(logits, before)
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(together[i], rules.mask_logits(logits[i : i + 1], [row])[0])


@pytest.mark.parametrize("seconds", [0.4, 15.0, 29.98])
def test_no_timestamp_lies_behind_the_window(toy_whisper: ToyWhisper, seconds: float) -> None:
    first = toy_whisper.tokens["first_timestamp"]
    rules = Rules(toy_whisper.tokens, VOCABULARY, True, seconds)
    for tokens in ([], [first, 5]):
        row = rules.mask_logits(np.zeros((1, VOCABULARY), np.float32), [tokens])[0]
        allowed = np.flatnonzero(np.isfinite(row[first:])) * 0.02
        assert allowed.max() == pytest.approx(min(seconds, 1.0) if not tokens else seconds)


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20))
def test_log_softmax(values: list[float]) -> None:
    import torch

    array = np.array(values, np.float32)
    np.testing.assert_allclose(log_softmax(array), torch.log_softmax(torch.from_numpy(array), -1), atol=1e-4)
    assert np.exp(log_softmax(array)).sum() == pytest.approx(1, abs=1e-4)


# --- decoding over a tree that is written down -----------------------------------------------------------------------

A, B, C, D = 65, 66, 67, 68


def tree(branches: dict[tuple[int, ...], dict[int, float]], prompt: int = 4) -> Script:
    """Probabilities of the next token after what was sampled; where nothing is written, the text ends."""

    def script(fed: list[int]) -> NDArray[np.float32]:
        logits = np.full(VOCABULARY, -60.0, np.float32)
        for token, probability in branches.get(tuple(fed[prompt:]), {EOT: 1.0}).items():
            logits[token] = np.log(probability)
        return logits

    return script


def begun(toy: ToyWhisper, script: Script) -> tuple[Begun, Rules, ScriptedDecoder]:
    facts = toy.tokens
    prompt = [facts["start_of_transcript"], facts["languages"]["en"], facts["transcribe"], facts["no_timestamps"]]
    decoder = ScriptedDecoder(script)
    return begin(decoder, WINDOW, prompt, facts), Rules(facts, VOCABULARY, False, 30.0), decoder


#: Greedy takes A (0.6) and can only go on badly; B (0.4) leads to the better whole.
TRAP = {
    (): {A: 0.6, B: 0.4},
    (A,): {C: 0.35, D: 0.34, A: 0.31},
    (A, C): {EOT: 1.0},
    (A, D): {EOT: 1.0},
    (B,): {C: 0.99, D: 0.01},
    (B, C): {EOT: 1.0},
}


def test_greedy_takes_the_best_next_token(toy_whisper: ToyWhisper) -> None:
    start, rules, _ = begun(toy_whisper, tree(TRAP))
    result = greedy(start, rules, [20])[0]
    assert result.tokens == [A, C]
    assert result.complete
    assert result.temperature == 0
    assert result.average_logprob == pytest.approx((np.log(0.6) + np.log(0.35)) / 3, abs=1e-4)
    assert result.first_token > 0


def test_beams_find_what_greedy_misses(toy_whisper: ToyWhisper) -> None:
    start, rules, _ = begun(toy_whisper, tree(TRAP))
    result = beam_search(start, rules, 20, 3)
    assert result.tokens == [B, C]
    assert result.complete
    assert result.average_logprob == pytest.approx((np.log(0.4) + np.log(0.99)) / 3, abs=1e-4)


def test_an_ended_beam_leaves_its_place_to_another(toy_whisper: ToyWhisper) -> None:
    """Two beams: the end, then B and C go on, though each hypothesis has only two best tokens besides the third."""
    branches = {
        (): {A: 1.0},
        (A,): {EOT: 0.4, B: 0.35, C: 0.25},
        (A, B): {A: 0.3, B: 0.3, C: 0.4},
        (A, C): {D: 1.0},
        (A, C, D): {EOT: 1.0},
    }
    start, rules, _ = begun(toy_whisper, tree(branches))
    assert beam_search(start, rules, 20, 2).tokens == [A, C, D]


def test_one_beam_is_greedy(toy_whisper: ToyWhisper) -> None:
    random = np.random.default_rng(4)
    for _ in range(10):
        table = random.standard_normal((4, VOCABULARY)).astype(np.float32) * 3
        table[:, EOT] += 4
        table[:, EOT + 1 :] = -60
        start, rules, _ = begun(toy_whisper, lambda fed, t=table: t[sum(fed) % 4])
        assert beam_search(start, rules, 30, 1).tokens == greedy(start, rules, [30])[0].tokens


def exhaustive(rules: Rules, script: Script, facts: Any, letters: Sequence[int], depth: int) -> list[int]:
    """The best ended sequence by the original's measure (sum of log-probabilities over its length), by trying all."""
    prompt = [facts["start_of_transcript"], facts["languages"]["en"], facts["transcribe"], facts["no_timestamps"]]
    best: tuple[float, list[int]] = (-np.inf, [])
    for length in range(1, depth + 1):
        for tokens in itertools.product(letters, repeat=length):
            score = 0.0
            for i, token in enumerate([*tokens, rules.eot]):
                logits = rules.mask_logits(script([*prompt, *tokens[:i]])[None], [list(tokens[:i])])[0]
                score += float(log_softmax(logits)[token])
            best = max(best, (score / length, list(tokens)))
    return best[1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_wide_beams_are_exhaustive(toy_whisper: ToyWhisper, seed: int) -> None:
    """Three letters, at most three of them: 64 beams hold all 39 sequences, so the search must find the best one."""
    table = np.random.default_rng(seed).random((40, 3)).astype(np.float32) * 3

    def script(fed: list[int]) -> NDArray[np.float32]:
        logits = np.full(VOCABULARY, -60.0, np.float32)
        said = fed[4:]
        if len(said) < 3:
            logits[[A, B, C]] = table[(sum((i + 1) * t for i, t in enumerate(said))) % 40]
            logits[EOT] = 1.0
        else:
            logits[EOT] = 9.0
        return logits

    start, rules, _ = begun(toy_whisper, script)
    assert beam_search(start, rules, 6, 64).tokens == exhaustive(rules, script, toy_whisper.tokens, [A, B, C], 3)


def endless(fed: list[int]) -> NDArray[np.float32]:
    logits = np.full(VOCABULARY, -60.0, np.float32)
    logits[[A, B]] = 1.0, 0.5
    return logits


@pytest.mark.parametrize("beams", [0, 1, 4])
def test_the_length_limit(toy_whisper: ToyWhisper, beams: int) -> None:
    start, rules, decoder = begun(toy_whisper, endless)
    result = beam_search(start, rules, 7, beams) if beams else greedy(start, rules, [7])[0]
    assert result.tokens == [A] * 7
    assert not result.complete
    assert decoder.longest <= 4 + 7


def test_beams_that_run_into_the_limit_compete_with_those_that_ended(toy_whisper: ToyWhisper) -> None:
    """The original fills up the ended sequences with the best of the others; one bad early end must not win."""

    def script(fed: list[int]) -> NDArray[np.float32]:
        said = tuple(fed[4:])
        written: dict[tuple[int, ...], dict[int, float]] = {(): {A: 0.9, B: 0.1}, (B,): {EOT: 1.0}}
        return tree({said: written.get(said, {A: 0.99, C: 0.01})})(fed)

    start, rules, _ = begun(toy_whisper, script)
    result = beam_search(start, rules, 6, 4)
    assert result.tokens == [A] * 6
    assert not result.complete


def coin(fed: list[int]) -> NDArray[np.float32]:
    logits = np.full(VOCABULARY, -60.0, np.float32)
    logits[[A, B, EOT]] = np.log([0.5, 0.3, 0.2])
    return logits


def test_sampling_follows_its_seed(toy_whisper: ToyWhisper) -> None:
    start, rules, _ = begun(toy_whisper, coin)
    texts = {tuple(sample(start, rules, 30, 1.0, 1, seed=seed).tokens) for seed in range(20)}
    assert len(texts) > 5
    for seed in range(5):
        first, again = (sample(start, rules, 30, 0.8, 5, seed=seed) for _ in range(2))
        assert (first.tokens, first.average_logprob) == (again.tokens, again.average_logprob)
        assert first.temperature == 0.8


def test_sampling_has_the_right_odds(toy_whisper: ToyWhisper) -> None:
    start, rules, _ = begun(toy_whisper, coin)
    for temperature, weights in ((1.0, [0.5, 0.3]), (0.5, [0.25, 0.09])):  # the end is suppressed at the beginning
        firsts = [sample(start, rules, 1, temperature, 1, seed=seed).tokens[0] for seed in range(600)]
        share = sum(token == A for token in firsts) / len(firsts)
        assert share == pytest.approx(weights[0] / sum(weights), abs=0.07)


def test_the_best_of_several_samples_is_that_of_the_original(toy_whisper: ToyWhisper) -> None:
    """Ranked by sum / length without the end of text (MaximumLikelihoodRanker), reported over length + 1."""
    start, rules, _ = begun(toy_whisper, coin)
    for seed in range(25):
        result = sample(start, rules, 12, 1.0, 6, seed=seed)
        rng = np.random.default_rng(seed)
        rows: list[list[int]] = [[] for _ in range(6)]
        sums, done = [0.0] * 6, [False] * 6
        for _ in range(12):
            logits = rules.mask_logits(np.stack([coin([])] * 6), rows)
            chosen = (logits + rng.gumbel(size=logits.shape).astype(np.float32)).argmax(-1)
            for i, token in enumerate(chosen.tolist()):
                if not done[i]:
                    sums[i] += float(log_softmax(logits[i])[token])
                    done[i] = token == EOT
                    rows[i] += [] if done[i] else [token]
            if all(done):
                break
        best = int(np.argmax([total / len(row) for total, row in zip(sums, rows, strict=True)]))
        assert result.tokens == rows[best]
        assert result.average_logprob == pytest.approx(sums[best] / (len(rows[best]) + 1))
        assert result.complete == done[best]


def test_decoding_twice_from_one_prompt(toy_whisper: ToyWhisper) -> None:
    """Fallbacks continue from the same prefill: nothing that one of them does may show in the next."""
    start, rules, decoder = begun(toy_whisper, tree(TRAP))
    first = greedy(start, rules, [20])[0].tokens
    beam_search(start, rules, 20, 3)
    sample(start, rules, 20, 1.0, 5, seed=0)
    assert greedy(start, rules, [20])[0].tokens == first
    assert len(decoder.prompts) == 1


def test_no_speech_is_read_at_the_start_of_the_transcript(toy_whisper: ToyWhisper) -> None:
    facts = toy_whisper.tokens

    def script(fed: list[int]) -> NDArray[np.float32]:
        logits = np.zeros(VOCABULARY, np.float32)
        if fed[-1] == facts["start_of_transcript"]:
            logits[facts["no_speech"]] = np.log(VOCABULARY - 1) + np.log(3)
        return logits

    prompt = [facts["start_of_previous"], A, B, facts["start_of_transcript"], facts["languages"]["en"]]
    start = begin(ScriptedDecoder(script), WINDOW, [*prompt, facts["transcribe"]], facts)
    assert start.no_speech == pytest.approx([0.75], abs=1e-3)
    assert start.logits.shape == (1, VOCABULARY)


@pytest.mark.parametrize("blanks", [0, 1])
def test_hypotheses_keep_and_copy(toy_whisper: ToyWhisper, blanks: int) -> None:
    decoder = ScriptedDecoder(lambda fed: np.full(VOCABULARY, float(sum(fed)), np.float32), blanks)
    hypotheses = Hypotheses(decoder, Windows({}, 30.0, blanks))
    hypotheses.step([[1, 2]], [1])
    hypotheses.keep([0, 0, 0])
    hypotheses.step([[10], [20], [30]], [0])
    other = hypotheses.copy()
    other.keep([2, 0])
    assert other.step([[0], [0]], [0])[:, 0, 0].tolist() == [33, 13]
    assert hypotheses.step([[0]] * 3, [0])[:, 0, 0].tolist() == [13, 23, 33]
