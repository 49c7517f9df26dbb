"""Whisper's three modules against transformers' own, with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.toys.toy_whisper import ToyWhisper
from numpy.typing import NDArray

from edgekit.models.common.mel import mel_filters
from edgekit.models.whisper.networks import Decoder, Encoder, Frontend
from edgekit.models.whisper.shapes import N_FFT, SAMPLE_RATE, WINDOW

Samples = NDArray[np.float32]


def signals() -> dict[str, Samples]:
    """Seven seconds of each kind of sound that a phone hears."""
    rng = np.random.default_rng(5)
    time = np.arange(7 * SAMPLE_RATE) / SAMPLE_RATE
    noise = rng.standard_normal(len(time))
    pitch = 120 + 60 * np.sin(2 * np.pi * 0.7 * time)
    voice = sum(np.sin(k * 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) / k for k in range(1, 30))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1)
    return {
        "noise": 0.1 * noise,
        "voice": 0.2 * voice * syllables + 0.003 * noise,
        "chirp": np.sin(2 * np.pi * (50 * time + 550 * time**2)),
        "near silence": 2e-5 * noise,
        "one click": np.eye(1, len(time), 30_000)[0],
        "clipping": np.clip(40 * voice, -1, 1),
        "constant": np.full(len(time), 0.3),
    }


def padded(samples: Samples, length: int) -> Samples:
    out = np.zeros((1, length), np.float32)
    out[0, : len(samples)] = samples
    return out


def mel(audio: Samples) -> Samples:
    with torch.inference_mode():
        out: Samples = Frontend(80).eval()(torch.from_numpy(audio)).numpy()
    return out


@pytest.mark.parametrize("name", signals())
def test_frontend_is_that_of_transformers(name: str) -> None:
    from transformers import WhisperFeatureExtractor

    samples = signals()[name].astype(np.float32)
    expected = WhisperFeatureExtractor(feature_size=80)(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")
    actual = mel(padded(samples, WINDOW))
    assert actual.shape == (1, 80, 3000)
    np.testing.assert_allclose(actual, expected["input_features"], atol=1e-4)


@pytest.mark.parametrize("name", ["noise", "voice", "near silence", "clipping"])
def test_a_short_window_gives_the_first_frames_of_the_long_one(name: str) -> None:
    samples = signals()[name].astype(np.float32)
    short, long = mel(padded(samples, 9 * SAMPLE_RATE)), mel(padded(samples, WINDOW))
    assert short.shape[2] == 900
    np.testing.assert_allclose(short, long[:, :, :900], atol=1e-5)


def test_the_least_window_of_the_frontend() -> None:
    assert mel(np.full((1, N_FFT), 0.1, np.float32)).shape == (1, 80, N_FFT // 160)


@pytest.mark.parametrize("mels", [80, 128])
def test_mel_filters_are_those_of_transformers(mels: int) -> None:
    from transformers import WhisperFeatureExtractor

    expected = WhisperFeatureExtractor(feature_size=mels).mel_filters
    np.testing.assert_allclose(mel_filters(mels), expected.T, atol=1e-7)


def reference(toy: ToyWhisper, positions: int = 1500) -> Any:
    """transformers' Whisper with the toy's weights and a window of `positions`."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    shape = toy.shape
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=shape.vocabulary,
            num_mel_bins=shape.mels,
            d_model=shape.width,
            encoder_layers=shape.encoder_layers,
            decoder_layers=shape.decoder_layers,
            encoder_attention_heads=shape.heads,
            decoder_attention_heads=shape.heads,
            encoder_ffn_dim=4 * shape.width,
            decoder_ffn_dim=4 * shape.width,
            max_source_positions=positions,
            max_target_positions=shape.text_context,
            pad_token_id=toy.tokens["end_of_text"],
            bos_token_id=toy.tokens["end_of_text"],
            eos_token_id=toy.tokens["end_of_text"],
            decoder_start_token_id=toy.tokens["start_of_transcript"],
        )
    )
    state = {f"model.{k}": torch.from_numpy(v) for k, v in toy.state.items() if not k.endswith("k_proj.bias")}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    state["model.encoder.embed_positions.weight"] = state["model.encoder.embed_positions.weight"][:positions]
    model.load_state_dict(state)
    return model.eval()


def mels(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 80, frames)).astype(np.float32))


@pytest.mark.parametrize("frames", [3000, 1500, 34])
def test_encoder_is_that_of_transformers(toy_whisper: ToyWhisper, frames: int) -> None:
    hf, ours = reference(toy_whisper, frames // 2), Encoder(toy_whisper.state, toy_whisper.shape).eval()
    heads, head = toy_whisper.shape.heads, toy_whisper.shape.head
    with torch.inference_mode():
        expected = hf.model.encoder(mels(frames)).last_hidden_state
        torch.testing.assert_close(ours.hidden(mels(frames)), expected, atol=1e-4, rtol=0)
        outputs = ours(mels(frames))
        assert len(outputs) == 2 * toy_whisper.shape.decoder_layers
        for i, layer in enumerate(hf.model.decoder.layers):
            key = layer.encoder_attn.k_proj(expected)[0].view(-1, heads, head)
            value = layer.encoder_attn.v_proj(expected)[0].view(-1, heads, head)
            torch.testing.assert_close(outputs[2 * i], key.permute(1, 2, 0), atol=1e-4, rtol=0)
            torch.testing.assert_close(outputs[2 * i + 1], value.transpose(0, 1), atol=1e-4, rtol=0)


class Stepper:
    """The decoder module with its cache."""

    def __init__(self, toy: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
        self.module, self.cross = Decoder(toy.state, toy.shape).eval(), cross
        empty = torch.zeros(1, toy.shape.heads, 0, toy.shape.head)
        self.past: tuple[torch.Tensor, ...] = (empty,) * (2 * toy.shape.decoder_layers)

    def __call__(self, tokens: torch.Tensor, select: list[int]) -> torch.Tensor:
        if self.past[0].shape[0] != tokens.shape[0]:
            self.past = tuple(past.expand(tokens.shape[0], -1, -1, -1) for past in self.past)
        with torch.inference_mode():
            logits, *past, self.queries = self.module(tokens, torch.tensor(select), *self.past, *self.cross)
        self.past = tuple(past)
        out: torch.Tensor = logits
        return out


@pytest.fixture
def cross(toy_whisper: ToyWhisper) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        out: tuple[torch.Tensor, ...] = Encoder(toy_whisper.state, toy_whisper.shape).eval()(mels(400))
    return out


def tokens(*size: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 1700, size))


def centred(logits: torch.Tensor) -> torch.Tensor:
    """Without what they have in common, which no softmax sees."""
    return logits - logits.double().mean(-1, keepdim=True).float()


def test_decoder_is_that_of_transformers(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    hf = reference(toy_whisper, 200)
    given = tokens(1, 30)
    with torch.inference_mode():
        expected = centred(hf(input_features=mels(400), decoder_input_ids=given).logits)
    actual = Stepper(toy_whisper, cross)(given, list(range(30)))
    # Of the order of 10: random embeddings make large logits.
    torch.testing.assert_close(actual, expected, atol=1e-4 * float(expected.abs().max()), rtol=0)
    assert (actual.argmax(-1) == expected.argmax(-1)).all()


def test_a_balanced_decoder_says_the_same(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    """Its embedding has columns that are alike, and its rows lose less to one scale each."""
    name = "decoder.embed_tokens.weight"
    uneven = np.asarray(toy_whisper.state[name], np.float32) * np.geomspace(0.02, 1, 64, dtype=np.float32)
    step, other = Stepper(toy_whisper, cross), Stepper(toy_whisper, cross)
    state = {**toy_whisper.state, name: uneven}
    step.module = Decoder(state, toy_whisper.shape).eval()
    other.module = Decoder(state, toy_whisper.shape, balanced=True).eval()
    for given in (tokens(1, 9), tokens(3, 1)):
        expected = step(given, [0])
        torch.testing.assert_close(other(given, [0]), expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-4)

    def lost(decoder: Decoder) -> float:
        rows = decoder.embedding
        scale = rows.abs().amax(1, keepdim=True) / 127
        loss = ((rows / scale).round() * scale - rows) * (decoder.balance if decoder.balanced else 1)
        return float(loss.norm())

    assert lost(other.module) < 0.7 * lost(step.module)


def test_a_mean_of_the_embedding_costs_nothing(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    """It is not in what int8 has scales for, and not in the logits; the caches and what is likely are the same."""
    name = "decoder.embed_tokens.weight"
    shifted = np.asarray(toy_whisper.state[name], np.float32) + np.linspace(-3, 3, 64, dtype=np.float32)
    step = Stepper(toy_whisper, cross)
    step.module = Decoder({**toy_whisper.state, name: shifted}, toy_whisper.shape).eval()
    assert float(step.module.embedding.mean(0).abs().max()) < 1e-6
    hf = reference(toy_whisper, 200)
    with torch.no_grad():
        hf.model.decoder.embed_tokens.weight.copy_(torch.from_numpy(shifted))
    given = tokens(1, 9)
    with torch.inference_mode():
        expected = hf(input_features=mels(400), decoder_input_ids=given).logits
    common = expected.mean(-1, keepdim=True)
    assert float(common.abs().max()) > 1
    torch.testing.assert_close(step(given, list(range(9))), expected - common, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("blanks", [1, 2])
def test_nobody_looks_at_blank_entries(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...], blanks: int) -> None:
    step, other = Stepper(toy_whisper, cross), Stepper(toy_whisper, cross)
    other.module = Decoder(toy_whisper.state, toy_whisper.shape, blanks=blanks).eval()
    other.past = tuple(torch.full((1, one.shape[1], blanks, one.shape[3]), 7.0) for one in other.past)
    for given in (tokens(1, 9), tokens(3, 1), tokens(3, 4)):
        expected, select = step(given, [0]), [0]
        torch.testing.assert_close(other(given, select), expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-5)
    for mine, theirs in zip(other.past, step.past, strict=True):
        assert bool((mine[:, :, :blanks] == 7).all())
        torch.testing.assert_close(mine[:, :, blanks:], theirs, atol=1e-4, rtol=1e-4)


def test_the_whole_text_context_fits(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    step = Stepper(toy_whisper, cross)
    step(tokens(1, 447), [446])
    assert step(tokens(1, 1), [0]).shape == (1, 1, toy_whisper.shape.vocabulary)


def test_steps_give_what_the_prefill_gives(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    given = tokens(1, 12)
    whole = Stepper(toy_whisper, cross)(given, list(range(12)))
    step = Stepper(toy_whisper, cross)
    pieces = [step(given[:, :5], [1, 4]), *(step(given[:, i : i + 1], [0]) for i in range(5, 12))]
    torch.testing.assert_close(torch.cat(pieces, 1), whole[:, [1, *range(4, 12)]], atol=1e-4, rtol=1e-4)


def test_select_picks_positions(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    given = tokens(1, 6)
    all_of_them = Stepper(toy_whisper, cross)(given, list(range(6)))
    some = Stepper(toy_whisper, cross)(given, [5, 2, 2])
    torch.testing.assert_close(some, all_of_them[:, [5, 2, 2]], atol=1e-5, rtol=1e-5)


def test_each_hypothesis_is_as_if_alone(toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]) -> None:
    prompt, given = tokens(1, 4), tokens(3, 5)
    together = Stepper(toy_whisper, cross)
    together(prompt, [3])
    both = together(given, list(range(5)))
    for i in range(3):
        alone = Stepper(toy_whisper, cross)
        alone(prompt, [3])
        torch.testing.assert_close(alone(given[i : i + 1], list(range(5))), both[i : i + 1], atol=1e-4, rtol=1e-4)


def test_the_alignment_queries_give_the_attention_of_transformers(
    toy_whisper: ToyWhisper, cross: tuple[torch.Tensor, ...]
) -> None:
    hf = reference(toy_whisper, 200)
    hf.set_attn_implementation("eager")
    step, given = Stepper(toy_whisper, cross), tokens(1, 12)
    with torch.inference_mode():
        attentions = hf(input_features=mels(400), decoder_input_ids=given, output_attentions=True).cross_attentions
    step(given, [0])
    pairs = toy_whisper.shape.alignment_heads
    assert step.queries.shape == (len(pairs), 1, 12, toy_whisper.shape.head)
    for query, (layer, head) in zip(step.queries, pairs, strict=True):
        weights = torch.softmax(query[0] @ cross[2 * layer][head], dim=-1)
        torch.testing.assert_close(weights, attentions[layer][0, head], atol=1e-5, rtol=1e-4)


def test_each_window_is_as_if_alone(toy_whisper: ToyWhisper) -> None:
    """Two windows, and two hypotheses about each, beside the same one after the other; also where the text begins."""
    with torch.inference_mode():
        windows = [Encoder(toy_whisper.state, toy_whisper.shape).eval()(mels(400, seed)) for seed in (1, 2)]
    together = Stepper(toy_whisper, tuple(torch.cat(arrays) for arrays in zip(*windows, strict=True)))
    alone = [Stepper(toy_whisper, window) for window in windows]
    for given in (tokens(4, 3), tokens(4, 1)):
        expected = [step(given[2 * i : 2 * i + 2], [0]) for i, step in enumerate(alone)]
        torch.testing.assert_close(together(given, [0]), torch.cat(expected), atol=1e-4, rtol=1e-4)
        queries = torch.cat([step.queries for step in alone], dim=1)
        torch.testing.assert_close(together.queries, queries, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(expected[0], expected[1], atol=0.1)
