"""One state dict from the three ways in which Whisper's weights are published.

The common names are Hugging Face's without the leading ``model.``; every attention has separate q, k and v, and every
key projection gets the zero bias that the formats leave out or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.models.whisper.shapes import Shape

#: OpenAI's names, as (pattern, replacement), applied in order.
_OPENAI = (
    (r"^(encoder|decoder)\.blocks\.", r"\1.layers."),
    (r"\.attn\.", ".self_attn."),
    (r"\.cross_attn\.", ".encoder_attn."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.cross_attn_ln\.", ".encoder_attn_layer_norm."),
    (r"\.query\.", ".q_proj."),
    (r"\.key\.", ".k_proj."),
    (r"\.value\.", ".v_proj."),
    (r"\.out\.", ".out_proj."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"^encoder\.ln_post\.", "encoder.layer_norm."),
    (r"^decoder\.ln\.", "decoder.layer_norm."),
    (r"^decoder\.token_embedding\.", "decoder.embed_tokens."),
    (r"^(encoder|decoder)\.positional_embedding$", r"\1.embed_positions.weight"),
)

#: CTranslate2's names, slashes already turned to dots. The fused projections (linear_0) are split first.
_CTRANSLATE2 = (
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    (r"^(encoder|decoder)\.layer_(\d+)\.", r"\1.layers.\2."),
    (r"\.self_attention\.layer_norm\.", ".self_attn_layer_norm."),
    (r"\.attention\.layer_norm\.", ".encoder_attn_layer_norm."),
    (r"\.self_attention\.linear_1\.", ".self_attn.out_proj."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.attention\.linear_2\.", ".encoder_attn.out_proj."),
    (r"\.attention\.", ".encoder_attn."),
    (r"\.ffn\.layer_norm\.", ".final_layer_norm."),
    (r"\.ffn\.linear_0\.", ".fc1."),
    (r"\.ffn\.linear_1\.", ".fc2."),
    (r"^decoder\.embeddings\.", "decoder.embed_tokens."),
    (r"^(encoder|decoder)\.position_encodings\.encodings$", r"\1.embed_positions.weight"),
)


def state_dict(checkpoint: Checkpoint, shape: Shape) -> dict[str, NDArray[Any]]:
    """Weights under the common names, in their stored dtype, checked against `shape`.

    Raises:
        BadInput: a format that Whisper is not published in, a missing tensor, or a tensor of another size.
    """
    if checkpoint.format == "openai":
        state = _rename_tensors(checkpoint.tensors, _OPENAI)
    elif checkpoint.format == "ctranslate2":
        state = _rename_tensors(_split_fused(checkpoint.tensors), _CTRANSLATE2)
    elif checkpoint.format in ("safetensors", "pytorch"):
        state = {name.removeprefix("model."): tensor for name, tensor in checkpoint.tensors.items()}
    else:
        raise BadInput(
            f"{checkpoint.path.name} holds {checkpoint.format} weights, which Whisper is not read from.",
            hint="Give a Hugging Face folder (safetensors), a CTranslate2 model.bin or an OpenAI .pt with --weights.",
        )
    for name in [name for name in state if name.endswith("k_proj.weight")]:
        bias = name.removesuffix("weight") + "bias"
        state.setdefault(bias, np.zeros(state[name].shape[0], np.float32))
    expected = expected_shapes(shape)
    for name, wanted in expected.items():
        if name not in state:
            raise BadInput(f"the checkpoint {checkpoint.path.name} lacks the tensor {name!r}.", hint=_HINT)
        if tuple(state[name].shape) != wanted:
            raise BadInput(
                f"the checkpoint {checkpoint.path.name} has {name!r} of shape {tuple(state[name].shape)}, "
                f"where this model has {wanted}: it is another model's.",
                hint=_HINT,
            )
    return {name: state[name] for name in expected}


_HINT = "See the sizes with: edgekit list models; choose the model that the checkpoint was trained from."


def expected_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Common name -> shape of every tensor that the parts read."""
    c, out = shape.width, dict[str, tuple[int, ...]]()

    def linear(name: str, outputs: int, inputs: int) -> None:
        out[f"{name}.weight"], out[f"{name}.bias"] = (outputs, inputs), (outputs,)

    def norm(name: str) -> None:
        out[f"{name}.weight"] = out[f"{name}.bias"] = (c,)

    out["encoder.conv1.weight"], out["encoder.conv1.bias"] = (c, shape.mels, 3), (c,)
    out["encoder.conv2.weight"], out["encoder.conv2.bias"] = (c, c, 3), (c,)
    out["encoder.embed_positions.weight"] = (shape.audio_context, c)
    out["decoder.embed_tokens.weight"] = (shape.vocabulary, c)
    out["decoder.embed_positions.weight"] = (shape.text_context, c)
    for side, layers in (("encoder", shape.encoder_layers), ("decoder", shape.decoder_layers)):
        norm(f"{side}.layer_norm")
        for i in range(layers):
            name = f"{side}.layers.{i}"
            for attention in ("self_attn", "encoder_attn") if side == "decoder" else ("self_attn",):
                norm(f"{name}.{attention}_layer_norm")
                for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    linear(f"{name}.{attention}.{projection}", c, c)
            norm(f"{name}.final_layer_norm")
            linear(f"{name}.fc1", 4 * c, c)
            linear(f"{name}.fc2", c, 4 * c)
    return out


def _rename_tensors(tensors: Mapping[str, NDArray[Any]], rules: tuple[tuple[str, str], ...]) -> dict[str, NDArray[Any]]:
    out = {}
    for name, tensor in tensors.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        out[name] = tensor
    return out


def _split_fused(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """CTranslate2 fuses q, k, v of self-attention (linear_0), and k, v of cross-attention (linear_1)."""
    out: dict[str, NDArray[Any]] = {}
    for slashed, tensor in tensors.items():
        name = slashed.replace("/", ".")
        match = re.search(r"\.(self_attention|attention)\.linear_([01])\.(weight|bias)$", name)
        if not match or (match[1] == "self_attention" and match[2] == "1"):
            out[name] = tensor
            continue
        stem = f"{name[: match.start()]}.{match[1]}."
        projections: tuple[str, ...] = (
            ("q_proj", "k_proj", "v_proj") if match[1] == "self_attention" else ("k_proj", "v_proj")
        )
        if match[1] == "attention" and match[2] == "0":
            projections = ("q_proj",)
        if tensor.ndim and tensor.shape[0] % len(projections) == 0:
            for projection, piece in zip(projections, np.split(tensor, len(projections)), strict=True):
                out[f"{stem}{projection}.{match[3]}"] = piece
    return out
