"""Small .gguf files: a writer that can write damaged ones too, and a Llama with random weights, its tokens bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Part
from edgekit.runtimes.llama_cpp.runner import LlamaRunner

ALIGNMENT = 32
VOCABULARY = 260
TRAINED = 2048
#: A chat template that begins with the BOS token, and that an app can follow.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


#: Same architecture, same shapes, same tokenizer: what no precision explains.
BROKEN: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "zeros": lambda weights: 0 * weights,
    "rows in another order": lambda weights: np.random.default_rng(1).permutation(weights),
    "another model": lambda weights: weights.std() * np.random.default_rng(2).standard_normal(weights.shape),
}


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(content: Any) -> bytes:
    """A metadata value with its type: bool, uint16, int32, int (u32, or i32 below 0), float, str, or a list of one."""
    if isinstance(content, list):
        kind = struct.unpack("<I", value(content[0])[:4])[0]
        return struct.pack("<IIQ", 9, kind, len(content)) + b"".join(value(one)[4:] for one in content)
    if isinstance(content, bool):
        return struct.pack("<I?", 7, content)
    if isinstance(content, np.uint16):
        return struct.pack("<IH", 2, content)
    if isinstance(content, np.int32):
        return struct.pack("<Ii", 5, content)
    if isinstance(content, int):
        return struct.pack("<Ii", 5, content) if content < 0 else struct.pack("<II", 4, content)
    if isinstance(content, float):
        return struct.pack("<If", 6, content)
    return struct.pack("<I", 8) + text(content)


def write(
    metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], *, version: int = 3, magic: bytes = b"GGUF"
) -> bytes:
    """The content of a .gguf; arrays are float32 or float16, in numpy's order of axes."""
    kinds = {np.dtype(np.float16): 1}
    described = {name: (array.shape[::-1], kinds.get(array.dtype, 0), array.nbytes) for name, array in tensors.items()}
    head, _ = header(metadata, described, version=version, magic=magic)
    padded = (array.tobytes() + bytes(-array.nbytes % ALIGNMENT) for array in tensors.values())
    return head + b"".join(padded)


def header(
    metadata: Mapping[str, Any],
    tensors: Mapping[str, tuple[tuple[int, ...], int, int]],
    *,
    version: int = 3,
    magic: bytes = b"GGUF",
) -> tuple[bytes, int]:
    """All of a .gguf before its weights, and the size of the whole file.

    Args:
        tensors: shape as ggml has it, number of the type, bytes.
    """
    table, place = b"", 0
    for name, (shape, kind, size) in tensors.items():
        table += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, place)
        place += -(-size // ALIGNMENT) * ALIGNMENT
    head = magic + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(text(key) + value(content) for key, content in metadata.items()) + table
    head += bytes(-len(head) % ALIGNMENT)
    return head, len(head) + place


def llama_metadata(width: int = 256, layers: int = 2, **changes: Any) -> dict[str, Any]:
    """What a Llama of `width` says about itself; `changes` by key with "__" for "." (None: left out)."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    metadata = {
        "general.architecture": "llama",
        "general.file_type": 1,
        "llama.context_length": TRAINED,
        "llama.embedding_length": width,
        "llama.block_count": layers,
        "llama.feed_forward_length": 2 * width,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": width // 4,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * len(tokens),
        "tokenizer.ggml.token_type": [np.int32(kind) for kind in (2, 3, 3, *[6] * 256, 1)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": False,
    }
    metadata |= {key.replace("__", "."): content for key, content in changes.items()}
    return {key: content for key, content in metadata.items() if content is not None}


def llama_tensors(width: int = 256, layers: int = 2, seed: int = 5) -> dict[str, NDArray[Any]]:
    """Random weights, large enough for answers that are not all alike."""
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> NDArray[Any]:
        return (rng.standard_normal((rows, columns)) * 2 / np.sqrt(columns)).astype(np.float16)

    tensors: dict[str, NDArray[Any]] = {"token_embd.weight": matrix(VOCABULARY, width)}
    for i in range(layers):
        tensors |= {
            f"blk.{i}.attn_norm.weight": np.ones(width, np.float32),
            f"blk.{i}.attn_q.weight": matrix(width, width),
            f"blk.{i}.attn_k.weight": matrix(width // 2, width),
            f"blk.{i}.attn_v.weight": matrix(width // 2, width),
            f"blk.{i}.attn_output.weight": matrix(width, width),
            f"blk.{i}.ffn_norm.weight": np.ones(width, np.float32),
            f"blk.{i}.ffn_gate.weight": matrix(2 * width, width),
            f"blk.{i}.ffn_up.weight": matrix(2 * width, width),
            f"blk.{i}.ffn_down.weight": matrix(width, 2 * width),
        }
    tensors["output_norm.weight"] = np.ones(width, np.float32)
    tensors["output.weight"] = matrix(VOCABULARY, width)
    return tensors


def llama_file(path: Path, width: int = 256, layers: int = 2, **changes: Any) -> Path:
    """Write such a Llama to `path`."""
    path.write_bytes(write(llama_metadata(width, layers, **changes), llama_tensors(width, layers)))
    return path


def circle_file(path: Path, **changes: Any) -> Path:
    """Write a Llama that goes round in a circle, whatever is before: after ``]`` an "a", after each letter the next to
    "t", then "a" again."""
    tensors = {
        name: 0 * array if "_output" in name or "_down" in name else array for name, array in llama_tensors().items()
    }
    tokens, embedding = [3 + ord(letter) for letter in "abcdefghijklmnopqrst"], tensors["token_embd.weight"]
    tensors["output.weight"] = np.zeros_like(embedding)
    tensors["output.weight"][tokens] = embedding[tokens[-1:] + tokens[:-1]]
    tensors["output.weight"][tokens[0]] += embedding[3 + ord("]")]
    tensors["output_norm.weight"] = np.ones(embedding.shape[1], np.float32)
    path.write_bytes(write(llama_metadata(**changes), tensors))
    return path


class Toy:
    """As much of a `Model` as an exporter looks at."""

    def __init__(self, reference: str = "f16", parameters: int = 100_000) -> None:
        specs = (LlamaRunner.inputs, LlamaRunner.outputs)
        self.name = "toy-language-model"
        parts = (Part("network", *specs, axes={}, build=None, settings={"reference": reference}),)
        self.network = SimpleNamespace(parts=parts, parameters=parameters)
