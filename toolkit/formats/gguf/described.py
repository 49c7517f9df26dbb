"""The shape of a language model that nobody declared: from the header of its .gguf, or from its ``config.json``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.errors import BadInput, Unsupported
from edgekit.formats.gguf.reader import Gguf
from edgekit.formats.gguf.shapes import LAID_OUT, Shape

#: Names of matrices in a .gguf -> those of `Shape`.
_MATRICES = {
    "attn_q": "q",
    "attn_k": "k",
    "attn_v": "v",
    "attn_output": "o",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "down",
    "token_embd": "embedding",
    "output": "output",
}
_BLOCK = re.compile(r"blk\.(\d+)\.")
#: ``model_type`` of Hugging Face -> the architecture's name in llama.cpp, where it is another. All have gated layers
#: of attention and products as `Shape` counts them.
_NAMES = {
    "llama": "llama",
    "mistral": "llama",
    "smollm3": "smollm3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma3_text": "gemma3",
    "phi3": "phi3",
    "granite": "granite",
    "olmo2": "olmo2",
}


@dataclass(frozen=True)
class _FileShape(Shape):
    """A shape whose matrices are those of a file, of whatever architecture.

    Attributes:
        matrices: name, layer, rows and row length of each. others: weights that stay in float32 (norms, biases).
        precision: of the file as it is; its bytes, and those that llama.cpp lays out anew, are known and not computed.
    """

    matrices: tuple[tuple[str, int, int, int], ...] = field(default=(), repr=False)
    others: int = 0
    precision: str = ""
    bytes: int = 0
    anew: int = 0

    def weights(self, precision: str) -> int:
        return self.bytes if precision == self.precision else super().weights(precision)

    def laid_out(self, precision: str) -> int:
        return self.anew if precision == self.precision else super().laid_out(precision)

    def _matrices(self) -> Iterator[tuple[str, int, int, int]]:
        return iter(self.matrices)

    def _norms(self) -> int:
        return self.others


def shape_of_file(headers: Sequence[Gguf], name: str) -> Shape:
    """The shape of the model in a .gguf. `headers`: of each of its shards. `name`: of the file, for messages.

    Raises:
        BadInput: it is no language model: no layers, or no tokenizer.
    """
    header, tensors = headers[0], [tensor for shard in headers for tensor in shard.tensors]
    facts, kind = header.plain, header.architecture

    def fact(key: str, default: int = 0) -> int:
        value = facts.get(f"{kind}.{key}", default)
        return value if isinstance(value, int) else default

    layers, width, heads = fact("block_count"), fact("embedding_length"), fact("attention.head_count", 1)
    if not layers or not width or "tokenizer.ggml.model" not in header.metadata:
        raise BadInput(
            f"{name} holds no language model: it lacks layers or a tokenizer.",
            hint="Adapters and vision projectors are no models of their own.",
        )
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
    words = next((tensor.shape[-1] for tensor in matrices if tensor.name == "token_embd.weight"), 1)
    return _FileShape(
        architecture=kind,
        names=(),
        layers=layers,
        width=width,
        feed=fact("feed_forward_length", 4 * width),
        heads=max(1, heads),
        groups=max(1, fact("attention.head_count_kv", heads)),
        head=fact("attention.key_length", width // max(1, heads)),
        vocabulary=words,
        context=header.context_length or 4096,
        output=any(tensor.name == "output.weight" for tensor in matrices),
        window=fact("attention.sliding_window"),
        matrices=tuple(_matrix(tensor.name, tensor.shape) for tensor in matrices),
        others=sum(tensor.count for tensor in tensors if len(tensor.shape) < 2),
        precision=header.file_type,
        bytes=sum(tensor.size for tensor in tensors),
        anew=sum(tensor.size for tensor in matrices if tensor.type in LAID_OUT and tensor.name != "token_embd.weight"),
    )


def _matrix(name: str, shape: tuple[int, ...]) -> tuple[str, int, int, int]:
    block = _BLOCK.match(name)
    stem = name[block.end() :] if block else name
    kind = _MATRICES.get(stem.removesuffix(".weight"), "other")
    return kind, int(block[1]) if block else 0, math.prod(shape[1:]), shape[0]


def shape_of_config(config: Mapping[str, Any], source: str) -> Shape:
    """The shape of a Hugging Face folder, from its ``config.json`` alone. `source`: for messages.

    Raises:
        Unsupported: of another architecture than those whose layers are counted here. BadInput: a size is absent.
    """
    kind = str(config.get("model_type"))
    if kind not in _NAMES:
        raise Unsupported(
            f"{source} is a language model of the type {kind!r}, whose size edgekit cannot tell from its settings.",
            hint=f"Export a .gguf of it. Types of folders: {', '.join(sorted(_NAMES))}.",
        )

    def size(key: str, default: int | None = None) -> int:
        value = config.get(key, default)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadInput(f"config.json of {source} says {key} = {config.get(key)!r}; it is a whole number from 1.")
        return value

    width, heads = size("hidden_size"), size("num_attention_heads")
    window = config.get("sliding_window") if kind == "gemma3_text" else 0
    return Shape(
        architecture=_NAMES[kind],
        names=(kind,),
        layers=size("num_hidden_layers"),
        width=width,
        feed=size("intermediate_size"),
        heads=heads,
        groups=size("num_key_value_heads", heads),
        head=size("head_dim", max(1, width // heads)),
        vocabulary=size("vocab_size"),
        context=size("max_position_embeddings"),
        output=not config.get("tie_word_embeddings", kind in ("gemma3_text", "smollm3")),
        window=window if isinstance(window, int) else 0,
    )
