"""A loaded .gguf: logits, text, generation, scores of a text; on a Llama with random weights, against numpy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import absent
from helpers.cases.ggml import perplexity_error
from helpers.cases.gguf_files import TRAINED, VOCABULARY, llama_file, llama_tensors

from edgekit.errors import BadInput
from edgekit.llama import library
from edgekit.runtimes.llama_cpp import RUNTIME, lookup, perplexity, room
from edgekit.runtimes.llama_cpp.caching import stored
from edgekit.runtimes.llama_cpp.context import Context
from edgekit.runtimes.llama_cpp.runner import LlamaRunner

TEXT = "It was a bright cold day in April, and the clocks were striking thirteen. " * 30


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    return llama_file(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def runner(tiny: Path) -> Any:
    return RUNTIME.load(tiny, 2)


def reference(tokens: list[int]) -> Any:
    """What a Llama computes, in float64: https://arxiv.org/abs/2302.13971. Logits [n, vocabulary]."""
    weights = {name: array.astype(np.float64) for name, array in llama_tensors().items()}

    def norm(x: Any) -> Any:
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)

    def turned(x: Any) -> Any:  # rotary positions, pairs of neighbours
        angles = np.arange(len(x))[:, None] * 10000.0 ** (-np.arange(0, 64, 2) / 64)
        pairs = x.reshape(len(x), -1, 32, 2)
        sin, cos = np.sin(angles)[:, None], np.cos(angles)[:, None]
        even, odd = pairs[..., 0], pairs[..., 1]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(len(x), -1, 64)

    x = weights["token_embd.weight"][tokens]
    causal = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)
    for i in range(2):
        layer = {
            name[len("blk.0.") : -len(".weight")]: w for name, w in weights.items() if name.startswith(f"blk.{i}.")
        }
        h = norm(x)
        q, k = turned(h @ layer["attn_q"].T), turned(h @ layer["attn_k"].T).repeat(2, axis=1)
        v = (h @ layer["attn_v"].T).reshape(len(x), 2, 64).repeat(2, axis=1)
        scores = np.einsum("qhd,khd->hqk", q, k) / 8 + causal
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        x = x + np.einsum("hqk,khd->qhd", shares, v).reshape(len(x), -1) @ layer["attn_output"].T
        h = norm(x)
        gate = h @ layer["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ layer["ffn_up"].T)) @ layer["ffn_down"].T
    return norm(x) @ weights["output.weight"].T


def test_the_logits_are_those_of_the_model(runner: Any) -> None:
    """Of every position, over several batches, from an empty cache each time."""
    tokens = runner.tokenize(TEXT[:150])
    expected = reference(tokens)
    for _ in range(2):
        found = runner({"tokens": np.array(tokens, np.int32)})["logits"]
        assert found.shape == (len(tokens), VOCABULARY) and found.dtype == np.float32
        assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 5e-3  # f16 products and cache


def test_what_a_runner_says_about_itself(runner: Any) -> None:
    assert (runner.context_length, runner.vocabulary) == (TRAINED, VOCABULARY)
    assert runner.end_tokens == {2} and runner.begin_token == 1 and runner.begins
    assert runner.metadata["general.architecture"] == "llama"
    small, large = runner.memory_breakdown(512), runner.memory_breakdown(2048)
    # 2 layers, keys and values, 2 heads of 64 in f16; the library rounds what it prints to 0.01 MiB.
    assert large["kv"] == pytest.approx(2 * 2 * 2048 * 128 * 2, abs=1e4)
    assert small["kv"] == pytest.approx(large["kv"] / 4, abs=1e4)
    assert small["weights"] == pytest.approx(sum(array.nbytes for array in llama_tensors().values()), rel=0.05)
    assert 0 <= small["anew"] <= small["weights"]  # nothing of f16 on most processors, most of it on those with AMX


def test_text_and_tokens(runner: Any) -> None:
    for text in ("plain", "naïve 😀", "", "a\0b"):
        tokens = runner.tokenize(text, bos=False)
        assert runner.detokenize(tokens) == text.encode()
    assert runner.tokenize("ab") == [1, *runner.tokenize("ab", bos=False)]
    # A character split between tokens comes as it is: the caller decodes.
    assert [runner.detokenize([token]) for token in runner.tokenize("é", bos=False)] == [b"\xc3", b"\xa9"]
    assert 2 not in runner.tokenize("</s>")
    assert runner.tokenize("</s>", special=True, bos=False) == [2]
    with pytest.raises(BadInput, match="no token 999"):
        runner.detokenize([999])


def test_greedy_generation_follows_the_logits_and_reuses_the_cache(runner: Any) -> None:
    prompt = runner.tokenize("Once upon a time")
    made = list(runner.generate(prompt, most=12))
    assert made
    logits = runner({"tokens": np.array(prompt + made, np.int32)})["logits"]
    assert [int(row.argmax()) for row in logits[len(prompt) - 1 : -1]] == made
    # The same, continued from what is in the cache, and from nothing.
    assert list(runner.generate(prompt + made[:5], most=len(made) - 5)) == made[5:]
    runner.clear()
    assert list(runner.generate(prompt + made[:5], most=len(made) - 5)) == made[5:]


def test_sampling_is_decided_by_the_seed(runner: Any) -> None:
    prompt = runner.tokenize("Once")
    hot = {"temperature": 2.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "most": 20}
    first, again = (list(runner.generate(prompt, seed=3, **hot)) for _ in range(2))
    assert first == again
    assert first != list(runner.generate(prompt, seed=4, **hot))
    one = list(runner.generate(prompt, seed=4, temperature=2.0, top_k=1, most=8))
    assert one == list(runner.generate(prompt, most=8))
    with pytest.raises(BadInput, match="top_p 2"):
        list(runner.generate(prompt, most=1, temperature=1.0, top_p=2.0))


def test_generation_stops_when_told(runner: Any) -> None:
    prompt = runner.tokenize("Once")
    assert len(list(runner.generate(prompt, most=7, cancel=lambda: False))) == 7
    asked = iter([False] * 2000)
    assert len(list(runner.generate(prompt, most=50, cancel=lambda: next(asked, True)))) < 50
    assert list(runner.generate(runner.tokenize(TEXT[:500]), most=5, cancel=lambda: True)) == []  # inside of the prompt
    assert len(list(runner.generate(prompt, most=7))) == 7


@pytest.mark.parametrize(
    ("tokens", "options", "why"),
    [
        ([], {}, "row of tokens"),
        ([VOCABULARY], {}, "below"),
        ([-1], {}, "below"),
        ([5], {"context": TRAINED + 1}, "more than the 2048"),
        ([5] * 300, {"context": 256}, "no room"),
        ([5] * TRAINED, {}, "no room"),
    ],
)
def test_prompts_that_cannot_be_are_refused(runner: Any, tokens: list[int], options: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        runner.generate(tokens, most=4, **options)


def test_a_full_context_ends_the_answer(runner: Any) -> None:
    made = list(runner.generate([5] * (TRAINED - 3), most=50))
    assert len(made) <= 4


# ---------------------------------------------------------------------------------------------------------- scores


def expected_nll(runner: Any, tokens: list[int], context: int) -> list[list[float]]:
    losses = []
    for start in range(0, len(tokens) // context * context, context):
        chunk = [runner.begin_token, *tokens[start + 1 : start + context]]
        logits = reference(chunk)
        logp = logits - logits.max(axis=1, keepdims=True)
        logp -= np.log(np.exp(logp).sum(axis=1, keepdims=True))
        losses.append([-logp[i, tokens[start + i + 1]] for i in range(context // 2, context - 1)])
    return losses


@pytest.mark.parametrize("context, most", [(64, 64 << 20), (100, 0)])  # at once; 32 positions, then 18
def test_perplexity_is_that_of_the_second_halves(
    runner: Any, monkeypatch: pytest.MonkeyPatch, context: int, most: int
) -> None:
    monkeypatch.setattr(perplexity, "LOGITS_AT_ONCE", most)
    text = TEXT[:400]
    losses = np.array(expected_nll(runner, runner.tokenize(text), context))
    found = runner.score(text, context=context)
    assert found.counts.tolist() == [context // 2 - 1] * len(losses)
    assert found.nll == pytest.approx(losses.sum(axis=1), rel=2e-3)
    assert found.perplexity == pytest.approx(np.exp(losses.mean()), rel=2e-3)
    expected = np.exp(losses.mean()) * losses.std() / np.sqrt(losses.size - 1)
    assert perplexity_error(found) == pytest.approx(expected, rel=1e-2)
    assert found.kld is None
    with pytest.raises(BadInput, match="no base"):
        _ = found.mean_kld


def test_divergence_from_itself_is_nothing_and_from_another_is_what_it_is(
    runner: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    text, base = TEXT[:300], tmp_path / "base"
    first = runner.score(text, context=64, chunks=3, save_base=base)
    same = runner.score(text, context=64, chunks=3, base=base)
    assert abs(same.mean_kld) < 1e-5 and same.same_top.all()
    assert same.base_nll == pytest.approx(first.nll, rel=1e-4)
    logits = rng.standard_normal((2, 5, VOCABULARY)).astype(np.float32)
    p, q = (perplexity.log_softmax(one) for one in logits)
    divergence, top = perplexity.divergence(p, q)
    exact = (np.exp(p.astype(np.float64)) * (p.astype(np.float64) - q)).sum(axis=1)
    assert divergence == pytest.approx(exact, rel=1e-4)
    assert top.tolist() == (p.argmax(1) == q.argmax(1)).tolist()


def test_a_base_of_something_else_is_refused(runner: Any, tmp_path: Path) -> None:
    base = tmp_path / "base"
    runner.score(TEXT[:300], context=64, chunks=3, save_base=base)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    with pytest.raises(BadInput, match="of this text"):
        runner.score(TEXT[7:300], context=64, chunks=3, base=base)
    with pytest.raises(BadInput, match="of this text"):
        runner.score(TEXT[:300], context=64, chunks=2, base=base)
    base.write_bytes(base.read_bytes()[:-100])
    with pytest.raises(BadInput, match="ends too early"):
        runner.score(TEXT[:300], context=64, chunks=3, base=base)


def test_a_text_that_is_too_short_cannot_be_scored(runner: Any) -> None:
    with pytest.raises(BadInput, match="at least 1024"):
        runner.score(TEXT[:500])


def test_speed_is_of_one_thing_at_a_time(runner: Any) -> None:
    assert runner.speed(prompt=32) > 0
    assert runner.speed(generate=4, depth=16) > 0
    for wrong in ({}, {"prompt": 1, "generate": 1}, {"prompt": -1}):
        with pytest.raises(BadInput, match="speed is that of"):
            runner.speed(**wrong)
    with pytest.raises(BadInput, match="more than the 2048"):
        runner.speed(prompt=TRAINED, depth=1)


def test_likelihoods_of_endings_follow_the_logits(runner: Any) -> None:
    prompt, endings = runner.tokenize(TEXT[:90]), [runner.tokenize(text, bos=False) for text in ("no", "yes, it was")]
    endings.append(runner.tokenize(TEXT[:100], bos=False))  # more than is looked at at once
    for ending, mine in zip(endings, runner.likelihoods(prompt, endings), strict=True):
        logits = reference([*prompt, *ending[:-1]])[len(prompt) - 1 :]
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        assert mine == pytest.approx(np.log(shares[np.arange(len(ending)), ending]).sum(), rel=2e-3)
    with pytest.raises(BadInput, match="empty"):
        runner.likelihoods(prompt, [[]])


def test_a_cache_of_bytes_takes_half_and_loses_little(runner: Any, tiny: Path, tmp_path: Path) -> None:
    bytes_ = LlamaRunner(tiny, 2, cache="q8_0")
    assert bytes_.memory_breakdown(2048)["kv"] == pytest.approx(runner.memory_breakdown(2048)["kv"] * 17 / 32, rel=0.01)
    assert room.cache_size(runner.metadata, 64, "q8_0") * 32 == room.cache_size(runner.metadata, 64) * 17
    runner.score(TEXT, chunks=2, save_base=tmp_path / "base")
    far = bytes_.score(TEXT, chunks=2, base=tmp_path / "base").mean_kld
    assert 1e-7 < far < 0.01
    prompt = runner.tokenize(TEXT[:90])
    free = list(runner.generate(prompt, most=8))
    assert len(list(runner.generate(prompt, most=8, cache="q8_0"))) == len(free)
    assert list(runner.generate(prompt, most=8)) == free, "and back"


def test_what_is_proposed() -> None:
    assert lookup.propose_tokens([1, 2, 3, 4, 9, 1, 2, 3], 2) == [4, 9]
    assert lookup.propose_tokens([5, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3], 9) == [8, 1, 2, 3], (
        "the longest ending, the last place"
    )
    assert (
        lookup.propose_tokens([1, 2, 3], 4)
        == lookup.propose_tokens([1], 4)
        == lookup.propose_tokens([1, 2, 1, 2], 0)
        == []
    )


def test_look_up_gives_the_same_text_in_fewer_passes(runner: Any) -> None:
    prompt = runner.tokenize(TEXT[:300])
    plain = list(runner.generate(prompt, most=64))
    assert list(runner.generate(prompt, most=64, look_up=True)) == plain
    drafts = runner.drafts
    assert len(plain) - 1 <= drafts.passes + drafts.kept and drafts.kept <= drafts.proposed
    assert list(runner.generate(prompt, most=64)) == plain, "what was proposed in vain is not in the cache"
    assert list(runner.generate(prompt, most=1, look_up=True)) == plain[:1]
    asked = iter([False] * 3)
    assert len(list(runner.generate(prompt, most=50, look_up=True, cancel=lambda: next(asked, True)))) < 50
    with pytest.raises(BadInput, match="no room"):
        runner.generate(prompt, most=4, look_up=True, context=len(prompt))
    short = list(runner.generate(prompt, most=64, look_up=True, context=len(prompt) + 9))
    assert short == plain[: len(short)] and short == list(runner.generate(prompt, most=64, context=len(prompt) + 9))


def test_look_up_keeps_what_an_answer_repeats(runner: Any) -> None:
    """After its own greedy answer as a prompt, a model that goes round in circles is followed by the look-up."""
    prompt = runner.tokenize(TEXT[:60])
    circle = list(runner.generate(prompt, most=400))
    again = list(runner.generate([*prompt, *circle], most=60, look_up=True))
    assert runner.drafts.passes + runner.drafts.kept in (len(again) - 1, *range(len(again) - 1, len(again) + 9))
    assert again == list(runner.generate([*prompt, *circle], most=60))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each later pass of any runner computes."""
    passes: list[int] = []
    decode = Context.decode

    def counting(self: Context, tokens: Any, outputs: int = 0) -> bool:
        passes.append(len(tokens))
        return decode(self, tokens, outputs)

    monkeypatch.setattr(Context, "decode", counting)
    return passes


def test_a_beginning_is_computed_once_for_all_processes(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "prompts", lambda: tmp_path)
    first, passes = LlamaRunner(tiny, 2), counted(monkeypatch)
    beginning = first.tokenize(TEXT[:200])
    prompt = [*beginning, *first.tokenize(TEXT[300:340], bos=False)]
    said = list(first.generate(prompt, most=8, beginning=beginning))
    assert (first.from_disk, passes[0]) == (0, len(beginning))
    for kind, known in (("f16", len(beginning)), ("q8_0", 0), ("q8_0", len(beginning))):
        passes.clear()
        other = LlamaRunner(tiny, 2, cache=kind)  # as a new process has it: nothing is in its cache
        text = list(other.generate(prompt, most=8, beginning=beginning))
        assert other.from_disk == known and passes[0] == (len(prompt) - known if known else len(beginning))
        assert kind != "f16" or text == said
    assert list(other.generate(prompt, most=8, beginning=beginning)) == text and other.from_disk == 0, "it is there"


def test_a_damaged_beginning_is_computed_anew(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "prompts", lambda: tmp_path)
    runner = LlamaRunner(tiny, 2)
    prompt = runner.tokenize(TEXT[:200])
    said = list(runner.generate(prompt, most=4, beginning=prompt[:50]))
    (place,) = tmp_path.rglob("*.state")
    whole = place.read_bytes()
    foreign = b"\xff" * 99
    for damaged in (b"", whole[:-1], whole[:40] + b"x" + whole[41:], hashlib.sha256(foreign).digest() + foreign):
        place.write_bytes(damaged)
        other = LlamaRunner(tiny, 2)
        assert list(other.generate(prompt, most=4, beginning=prompt[:50])) == said and other.from_disk == 0
        assert place.read_bytes() == whole, "and written again"


def test_few_beginnings_are_kept(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "prompts", lambda: tmp_path)
    monkeypatch.setattr(stored, "MOST", 2)
    runner = LlamaRunner(tiny, 2)
    prompt = runner.tokenize(TEXT[:100])
    for count in (5, 6, 7):
        list(runner.generate(prompt, most=1, beginning=prompt[:count]))
        runner.forget()
    assert len(list(tmp_path.rglob("*.state"))) == 2
    list(runner.generate(prompt, most=1, beginning=prompt[:5]))
    assert runner.from_disk == 0, "the oldest went"
