"""The .gguf of a Llama or a Qwen 2, of whatever types, as the Hugging Face folder that it could be converted from.

For tests of the way from a checkpoint to GGUF: the weights dequantized to float16, config.json, and the tokenizer's
files from the .gguf's own metadata. Read by llama.cpp's own reader, from the source that the libraries are built of.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
_SHARD = 1 << 30  # bytes of weights that a file holds, about: they are in memory at once
_CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
_DIGITS = {"type": "Digits", "individual_digits": True}
#: How Qwen 2 cuts a text before its pairs of bytes are merged (its tokenizer.json).
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLIT = {"type": "Split", "pattern": {"Regex": _WORDS}, "behavior": "Isolated", "invert": False}


def hugging_face(file: Path, folder: Path) -> Path:
    """Write the model in `file` to `folder`; for byte-level BPE that cuts as SmolLM2's or Qwen 2's does."""
    sys.path.insert(0, str(library.folder() / "source" / "vendor" / "llama.cpp" / "gguf-py"))
    try:
        from gguf import GGUFReader, dequantize  # type: ignore[import-not-found, import-untyped, unused-ignore]
    finally:
        del sys.path[0]
    reader = GGUFReader(file)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    folder.mkdir(parents=True)
    names = _write(((_name(one.name), one) for one in reader.tensors), dequantize, facts, folder)
    for name, content in {
        "config.json": _config(facts, "lm_head.weight" not in names),
        "tokenizer.json": _tokenizer(facts),
        "tokenizer_config.json": _settings(facts),
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _write(tensors: Iterable[tuple[str, Any]], dequantize: Any, facts: Mapping[str, Any], folder: Path) -> set[str]:
    """Write the weights in one file, or in several with their index; returns their names."""
    places: dict[str, str] = {}
    shard: dict[str, NDArray[np.float16]] = {}

    def flush(file: str) -> None:
        save_file(shard, folder / file, metadata={"format": "pt"})
        places.update(dict.fromkeys(shard, file))
        shard.clear()

    for name, one in tensors:
        shard[name] = _weights(one.name, dequantize(one.data, one.tensor_type), facts)
        if sum(array.nbytes for array in shard.values()) > _SHARD:
            flush(f"model-{len(set(places.values())):05}.safetensors")
    flush("model-last.safetensors" if places else "model.safetensors")
    if len(set(places.values())) > 1:
        index = {"metadata": {}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return set(places)


def _name(name: str) -> str:
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if block:
        return f"model.layers.{block[1]}.{_NAMES[block[2]]}.{block[3]}"
    return f"{_NAMES[name.removesuffix('.weight')]}.weight"


def _weights(name: str, values: Any, facts: Mapping[str, Any]) -> NDArray[np.float16]:
    """A Llama's queries and keys come back from how llama.cpp's converter orders a head's rows, to rotate them."""
    key = "head_count" if "attn_q." in name else "head_count_kv" if "attn_k." in name else ""
    if key and facts["general.architecture"] == "llama":
        heads = facts[f"llama.attention.{key}"]
        values = values.reshape(heads, -1, 2, values.shape[-1]).swapaxes(1, 2).reshape(values.shape)
    return np.ascontiguousarray(values, np.float16)


def _config(facts: Mapping[str, Any], tied: bool) -> dict[str, Any]:
    kind = facts["general.architecture"]
    return {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "dtype": "float16",
        "hidden_act": "silu",
        "hidden_size": facts[f"{kind}.embedding_length"],
        "intermediate_size": facts[f"{kind}.feed_forward_length"],
        "max_position_embeddings": facts[f"{kind}.context_length"],
        "num_attention_heads": facts[f"{kind}.attention.head_count"],
        "num_hidden_layers": facts[f"{kind}.block_count"],
        "num_key_value_heads": facts[f"{kind}.attention.head_count_kv"],
        "rms_norm_eps": float(np.float32(facts[f"{kind}.attention.layer_norm_rms_epsilon"])),
        "rope_theta": facts[f"{kind}.rope.freq_base"],
        "tie_word_embeddings": tied,
        "vocab_size": len(facts["tokenizer.ggml.tokens"]),
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
    }


def _tokenizer(facts: Mapping[str, Any]) -> dict[str, Any]:
    tokens: Sequence[str] = facts["tokenizer.ggml.tokens"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    control = [i for i, kind in enumerate(facts["tokenizer.ggml.token_type"]) if kind == _CONTROL]
    cut = _SPLIT if facts["tokenizer.ggml.pre"] == "qwen2" else _DIGITS
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": cut is _DIGITS}
    return {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": tokens[i], **plain} for i in control],
        "normalizer": {"type": "NFC"} if cut is _SPLIT else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [cut, bytes_]},
        "decoder": bytes_,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in facts["tokenizer.ggml.merges"]],
        },
    }


def _settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    names = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    named = {name: f"tokenizer.ggml.{key}_token_id" for name, key in names.items()}
    tokens = facts["tokenizer.ggml.tokens"]
    return {
        **{f"{name}_token": tokens[facts[key]] for name, key in named.items() if key in facts},
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": facts[f"{facts['general.architecture']}.context_length"],
        "add_prefix_space": False,
        "chat_template": facts["tokenizer.chat_template"],
    }
