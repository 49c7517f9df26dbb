"""One state dict from three formats, and errors that name the tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_whisper import ToyWhisper
from numpy.typing import NDArray

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.models.whisper.shapes import Shape
from edgekit.models.whisper.weights import expected_shapes, state_dict

State = dict[str, NDArray[Any]]


def checkpoint(kind: str, tensors: State) -> Checkpoint:
    return Checkpoint(Path("weights.bin"), kind, tensors, {}, {})


def without_key_bias(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if not name.endswith("k_proj.bias")}


def as_huggingface(state: State) -> State:
    out = {f"model.{name}": tensor for name, tensor in without_key_bias(state).items()}
    return {**out, "proj_out.weight": state["decoder.embed_tokens.weight"]}


def as_openai(state: State) -> State:
    """Written out by hand from openai/whisper's model.py, not by inverting our own rules."""
    attention = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
    out: State = {
        "decoder.token_embedding.weight": state["decoder.embed_tokens.weight"],
        "decoder.positional_embedding": state["decoder.embed_positions.weight"],
        "encoder.positional_embedding": state["encoder.embed_positions.weight"],
    }
    for kind in ("weight", "bias"):
        out[f"encoder.conv1.{kind}"], out[f"encoder.conv2.{kind}"] = (
            state[f"encoder.conv1.{kind}"],
            state[f"encoder.conv2.{kind}"],
        )
        out[f"encoder.ln_post.{kind}"] = state[f"encoder.layer_norm.{kind}"]
        out[f"decoder.ln.{kind}"] = state[f"decoder.layer_norm.{kind}"]
        for side in ("encoder", "decoder"):
            for i in range(2):
                block, layer = f"{side}.blocks.{i}", f"{side}.layers.{i}"
                pairs = (
                    {"attn": "self_attn", "cross_attn": "encoder_attn"} if side == "decoder" else {"attn": "self_attn"}
                )
                for theirs, ours in pairs.items():
                    out[f"{block}.{theirs}_ln.{kind}"] = state[f"{layer}.{ours}_layer_norm.{kind}"]
                    for projection, name in attention.items():
                        if (projection, kind) != ("k_proj", "bias"):
                            out[f"{block}.{theirs}.{name}.{kind}"] = state[f"{layer}.{ours}.{projection}.{kind}"]
                out[f"{block}.mlp.0.{kind}"] = state[f"{layer}.fc1.{kind}"]
                out[f"{block}.mlp.2.{kind}"] = state[f"{layer}.fc2.{kind}"]
                out[f"{block}.mlp_ln.{kind}"] = state[f"{layer}.final_layer_norm.{kind}"]
    return out


def as_ctranslate2(state: State) -> State:
    """Written out by hand from CTranslate2's WhisperSpec: slashes, gamma and beta, fused projections."""
    out: State = {
        "decoder/embeddings/weight": state["decoder.embed_tokens.weight"],
        "decoder/position_encodings/encodings": state["decoder.embed_positions.weight"],
        "encoder/position_encodings/encodings": state["encoder.embed_positions.weight"],
        "decoder/scale_embeddings": np.array(0, np.int8),
        "encoder/num_heads": np.array(2, np.int16),
    }
    norms = {"weight": "gamma", "bias": "beta"}
    for kind, greek in norms.items():
        for conv in ("conv1", "conv2"):
            out[f"encoder/{conv}/{kind}"] = state[f"encoder.{conv}.{kind}"]
        for side in ("encoder", "decoder"):
            out[f"{side}/layer_norm/{greek}"] = state[f"{side}.layer_norm.{kind}"]
            for i in range(2):
                block, layer = f"{side}/layer_{i}", f"{side}.layers.{i}"
                own = [state[f"{layer}.self_attn.{p}_proj.{kind}"] for p in "qkv"]
                out[f"{block}/self_attention/linear_0/{kind}"] = np.concatenate(own)
                out[f"{block}/self_attention/linear_1/{kind}"] = state[f"{layer}.self_attn.out_proj.{kind}"]
                out[f"{block}/self_attention/layer_norm/{greek}"] = state[f"{layer}.self_attn_layer_norm.{kind}"]
                if side == "decoder":
                    cross = [state[f"{layer}.encoder_attn.{p}_proj.{kind}"] for p in "kv"]
                    out[f"{block}/attention/linear_0/{kind}"] = state[f"{layer}.encoder_attn.q_proj.{kind}"]
                    out[f"{block}/attention/linear_1/{kind}"] = np.concatenate(cross)
                    out[f"{block}/attention/linear_2/{kind}"] = state[f"{layer}.encoder_attn.out_proj.{kind}"]
                    out[f"{block}/attention/layer_norm/{greek}"] = state[f"{layer}.encoder_attn_layer_norm.{kind}"]
                out[f"{block}/ffn/layer_norm/{greek}"] = state[f"{layer}.final_layer_norm.{kind}"]
                out[f"{block}/ffn/linear_0/{kind}"] = state[f"{layer}.fc1.{kind}"]
                out[f"{block}/ffn/linear_1/{kind}"] = state[f"{layer}.fc2.{kind}"]
    return out


FORMATS = {
    "safetensors": as_huggingface,
    "pytorch": as_huggingface,
    "openai": as_openai,
    "ctranslate2": as_ctranslate2,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_the_same_state(toy_whisper: ToyWhisper, kind: str) -> None:
    state = state_dict(checkpoint(kind, FORMATS[kind](toy_whisper.state)), toy_whisper.shape)
    assert set(state) == set(toy_whisper.state)
    for name, tensor in toy_whisper.state.items():
        np.testing.assert_array_equal(state[name], tensor, err_msg=name)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("index", [0, 3, 17, -1])
def test_a_missing_tensor_is_named(toy_whisper: ToyWhisper, kind: str, index: int) -> None:
    tensors = FORMATS[kind](toy_whisper.state)
    tensors.pop("proj_out.weight", None)
    gone = [name for name in tensors if "scale" not in name and "num_heads" not in name][index]
    del tensors[gone]
    with pytest.raises(BadInput, match=r"lacks the tensor '(encoder|decoder)\.") as caught:
        state_dict(checkpoint(kind, tensors), toy_whisper.shape)
    assert "weights.bin" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["decoder.embed_tokens.weight", "encoder.layers.1.fc2.weight", "encoder.conv1.bias"])
def test_a_tensor_of_another_shape_is_named(toy_whisper: ToyWhisper, name: str) -> None:
    tensors = {**toy_whisper.state, name: toy_whisper.state[name][..., :-1]}
    with pytest.raises(BadInput, match=f"{name}.*of shape.*another model's"):
        state_dict(checkpoint("safetensors", tensors), toy_whisper.shape)


@pytest.mark.parametrize("kind", ["openai", "ctranslate2"])
def test_a_fused_or_renamed_tensor_of_another_shape(toy_whisper: ToyWhisper, kind: str) -> None:
    tensors = FORMATS[kind](toy_whisper.state)
    name = next(name for name in tensors if "linear_0/weight" in name or name.endswith("attn.query.weight"))
    tensors[name] = tensors[name][:-1]
    with pytest.raises(BadInput, match=r"self_attn\.q_proj\.weight"):
        state_dict(checkpoint(kind, tensors), toy_whisper.shape)


def test_the_weights_of_another_size(toy_whisper: ToyWhisper) -> None:
    with pytest.raises(BadInput, match="another model's"):
        state_dict(toy_whisper.checkpoint, Shape(width=128, heads=2, encoder_layers=2, decoder_layers=2))


def test_another_format_is_refused(toy_whisper: ToyWhisper) -> None:
    with pytest.raises(BadInput, match="gguf"):
        state_dict(checkpoint("gguf", {}), toy_whisper.shape)


def test_parameters_count_what_is_read(toy_whisper: ToyWhisper) -> None:
    shapes = expected_shapes(toy_whisper.shape)
    held = sum(int(np.prod(size)) for name, size in shapes.items() if not name.endswith("k_proj.bias"))
    assert toy_whisper.shape.parameters == held == toy_whisper.model.network.parameters


def test_a_tokenizer_of_other_weights(toy_whisper: ToyWhisper) -> None:
    from helpers.toys.toy_whisper import random_state

    shape = Shape(64, 2, 2, 2, vocabulary=toy_whisper.shape.vocabulary + 1)
    from edgekit.models.whisper.family import whisper

    other = Checkpoint(Path("w"), "safetensors", random_state(shape), {}, {})
    with pytest.raises(BadInput, match="do not belong together"):
        whisper("other", shape, ()).weights.prepare(other, toy_whisper.folder)


@pytest.mark.real
def test_the_published_weights(real_checkpoint: Checkpoint, real_state: State) -> None:
    from edgekit.registry import find

    held = sum(tensor.size for name, tensor in real_state.items() if not name.endswith("k_proj.bias"))
    assert held == find("models", "whisper-base").network.parameters == 72_593_920
    assert all(np.isfinite(tensor).all() for tensor in real_state.values())
    # The positions of the encoder are sinusoids, so we know what they must be (in half precision).
    angles = np.arange(1500)[:, None] * np.exp(-np.log(10_000) / 255 * np.arange(256))[None]
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(real_state["encoder.embed_positions.weight"], expected, atol=1e-3)


@pytest.mark.real
def test_the_suppressed_tokens_are_the_published_ones(real_checkpoint: Checkpoint) -> None:
    from edgekit.models.whisper.loop.tokens import Tokens

    folder = real_checkpoint.path if real_checkpoint.path.is_dir() else real_checkpoint.path.parent
    facts = Tokens(folder / "tokenizer.json").facts()
    assert facts["suppress_at_begin"] == real_checkpoint.config["suppress_ids_begin"] == [220, 50257]
    published = set(real_checkpoint.config["suppress_ids"])
    assert published <= set(facts["suppress"])
    # The converter lists what does not depend on the prompt; the original adds the control tokens.
    assert set(facts["suppress"]) - published <= set(range(50257, 50364))
    assert sorted(facts["languages"].values()) == real_checkpoint.config["lang_ids"]
    assert facts["first_timestamp"] == 50364
