"""A Llama's .gguf, of whatever types, as the Hugging Face folder that it could have been converted from.

For tests of the way from a checkpoint to GGUF: the weights dequantized to float16, config.json, and the tokenizer's
files from the .gguf's own metadata. Read by llama.cpp's own reader, from the source that the libraries are built of.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from edgekit.llama import library

_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    **{f"attn_{letter}": f"self_attn.{letter}_proj" for letter in "qkv"},
    "attn_output": "self_attn.o_proj",
    **{f"ffn_{name}": f"mlp.{name}_proj" for name in ("gate", "up", "down")},
}
_CONTROL = 3  # a token's type in ``tokenizer.ggml.token_type``


def hugging_face(file: Path, folder: Path) -> Path:
    """Write the model in `file` to `folder`; only for byte-level BPE that splits digits, as SmolLM2's."""
    sys.path.insert(0, str(library.folder() / "source" / "vendor" / "llama.cpp" / "gguf-py"))
    try:
        from gguf import GGUFReader, dequantize  # type: ignore[import-not-found, import-untyped, unused-ignore]
    finally:
        del sys.path[0]
    reader = GGUFReader(file)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    folder.mkdir(parents=True)
    tensors = {
        _name(one.name): _weights(one.name, dequantize(one.data, one.tensor_type), facts) for one in reader.tensors
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for name, content in {
        "config.json": _config(facts, "lm_head.weight" not in tensors),
        "tokenizer.json": _tokenizer(facts),
        "tokenizer_config.json": _settings(facts),
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _name(name: str) -> str:
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if block:
        return f"model.layers.{block[1]}.{_NAMES[block[2]]}.weight"
    return f"{_NAMES[name.removesuffix('.weight')]}.weight"


def _weights(name: str, values: Any, facts: Mapping[str, Any]) -> Any:
    """Queries and keys come back from how llama.cpp's converter orders a head's rows, for its way of rotating."""
    key = "head_count" if "attn_q." in name else "head_count_kv" if "attn_k." in name else ""
    if key:
        heads = facts[f"llama.attention.{key}"]
        values = values.reshape(heads, -1, 2, values.shape[-1]).swapaxes(1, 2).reshape(values.shape)
    return np.ascontiguousarray(values, np.float16)


def _config(facts: Mapping[str, Any], tied: bool) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float16",
        "hidden_act": "silu",
        "hidden_size": facts["llama.embedding_length"],
        "intermediate_size": facts["llama.feed_forward_length"],
        "max_position_embeddings": facts["llama.context_length"],
        "num_attention_heads": facts["llama.attention.head_count"],
        "num_hidden_layers": facts["llama.block_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        "rms_norm_eps": float(np.float32(facts["llama.attention.layer_norm_rms_epsilon"])),
        "rope_theta": facts["llama.rope.freq_base"],
        "tie_word_embeddings": tied,
        "vocab_size": facts["llama.vocab_size"],
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
    }


def _tokenizer(facts: Mapping[str, Any]) -> dict[str, Any]:
    tokens: Sequence[str] = facts["tokenizer.ggml.tokens"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    control = [i for i, kind in enumerate(facts["tokenizer.ggml.token_type"]) if kind == _CONTROL]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": tokens[i], **plain} for i in control],
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_],
        },
        "decoder": bytes_,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in facts["tokenizer.ggml.merges"]],
        },
    }


def _settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    names = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    tokens = facts["tokenizer.ggml.tokens"]
    return {
        **{f"{ours}_token": tokens[facts[f"tokenizer.ggml.{theirs}_token_id"]] for ours, theirs in names.items()},
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": facts["llama.context_length"],
        "add_prefix_space": False,
        "chat_template": facts["tokenizer.chat_template"],
    }
