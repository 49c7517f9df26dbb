"""whisper-base as whisper.cpp reads it, quantized to q8_0: what its converter and its quantizer make, without either.

    python tests/peers/make_ggml.py WEIGHTS OUT.bin

The wheel of pywhispercpp carries neither tool. The layout is whisper.cpp's ``whisper_model_load``: sizes, mel
filterbank, vocabulary, then tensors as (dimensions, length of name, type, sizes innermost first, name, data). Matrices
are q8_0; convolutions f16; vectors, positions and the convolutions' biases f32, as its quantizer leaves them.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.common.mel import mel_filters
from edgekit.models.whisper.shapes import Shape
from edgekit.models.whisper.weights import state_dict

BASE = Shape(width=512, heads=8, encoder_layers=6, decoder_layers=6)

_MAGIC = 0x67676D6C
_F32, _F16, _Q8_0 = 0, 1, 8
#: "Mostly q8_0" (7) in version 2 of the quantized formats (times 1000).
_FILE_TYPE = 2 * 1000 + 7

#: Our names → whisper.cpp's (which are OpenAI's), in order.
_NAMES = (
    (r"\.layers\.", ".blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"^decoder\.embed_tokens\.", "decoder.token_embedding."),
    (r"\.embed_positions\.weight$", ".positional_embedding"),
)


def write(weights: Path, out: Path, shape: Shape = BASE) -> None:
    """Write the model in `weights` (a folder with tokenizer.json beside them) to the file `out`."""
    state = state_dict(read_checkpoint(weights), shape)
    partial = out.with_suffix(".partial")
    with partial.open("wb") as file:
        sizes = (shape.vocabulary, shape.audio_context, shape.width, shape.heads, shape.encoder_layers)
        sizes += (shape.text_context, shape.width, shape.heads, shape.decoder_layers, shape.mels)
        file.write(struct.pack("<12i", _MAGIC, *sizes, _FILE_TYPE))
        filters = mel_filters(shape.mels)
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        _vocabulary(file, weights / "tokenizer.json")
        for name, tensor in state.items():
            # The zero bias of key projections is our addition; whisper.cpp has no place for it.
            if not name.endswith("k_proj.bias"):
                _tensor(file, _renamed(name), np.asarray(tensor, np.float32))
    partial.replace(out)


def _vocabulary(file: BinaryIO, tokenizer: Path) -> None:
    """The byte-level tokens as bytes; whisper.cpp names the special ones, which come after them, by itself."""
    vocabulary = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    to_byte = {letter: byte for byte, letter in _byte_letters().items()}
    ordered = sorted((i, text) for text, i in vocabulary.items() if all(letter in to_byte for letter in text))
    plain = [text for at, (i, text) in enumerate(ordered) if i == at and not text.startswith("<|")]
    file.write(struct.pack("<i", len(plain)))
    for text in plain:
        word = bytes(to_byte[letter] for letter in text)
        file.write(struct.pack("<i", len(word)) + word)


def _byte_letters() -> dict[int, str]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others follow from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def _renamed(name: str) -> str:
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _tensor(file: BinaryIO, name: str, tensor: NDArray[np.float32]) -> None:
    if re.fullmatch(r"encoder\.conv[12]\.bias", name):
        tensor = tensor[:, None]
    kind, data = _stored(name, tensor)
    sizes = tensor.shape[::-1]
    file.write(struct.pack("<3i", tensor.ndim, len(name), kind) + struct.pack(f"<{len(sizes)}i", *sizes))
    file.write(name.encode() + data)


def _stored(name: str, tensor: NDArray[np.float32]) -> tuple[int, bytes]:
    if tensor.ndim == 3:
        return _F16, tensor.astype(np.float16).tobytes()
    if tensor.ndim == 1 or name.endswith(("positional_embedding", ".bias")):
        return _F32, tensor.tobytes()
    return _Q8_0, q8_0(tensor)


def q8_0(tensor: NDArray[np.float32]) -> bytes:
    """Blocks of 32 weights along the rows: an f16 scale, then 32 int8; the scale makes the largest weight 127."""
    blocks = tensor.reshape(-1, 32)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    scaled = blocks * inverse
    # C's roundf, which the reference uses, rounds halves away from zero; numpy would round them to even.
    rounded = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled)
    block: NDArray[Any] = np.zeros(len(blocks), np.dtype([("scale", "<f2"), ("weights", "i1", 32)]))
    block["scale"], block["weights"] = scales[:, 0], rounded
    return block.tobytes()


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
