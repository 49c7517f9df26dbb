"""The texts of a model's special tokens, of which a .gguf's header tells the numbers only."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from edgekit.errors import BadInput
from edgekit.llama import library

__all__ = ["special_tokens"]


def special_tokens(file: Path) -> dict[str, str]:
    """``bos_token`` and ``eos_token`` as texts, "" where the model has none. Loads the vocabulary alone.

    Raises:
        BadInput: llama.cpp cannot read it. MissingExtra: llama.cpp is not installed.
    """
    api = library.bindings()
    settings = api.llama_model_default_params()
    settings.vocab_only = True
    model = api.llama_model_load_from_file(str(file).encode(), settings)
    if not model:
        raise BadInput(f"llama.cpp cannot read the vocabulary of {file.name}.")
    try:
        vocabulary = api.llama_model_get_vocab(model)
        numbers = {"bos_token": api.llama_vocab_bos(vocabulary), "eos_token": api.llama_vocab_eos(vocabulary)}
        return {name: _text(api, vocabulary, int(number)) for name, number in numbers.items()}
    finally:
        api.llama_model_free(model)


def _text(api: Any, vocabulary: Any, token: int) -> str:
    buffer = ctypes.create_string_buffer(256)
    count = int(api.llama_token_to_piece(vocabulary, token, buffer, 256, 0, True)) if token >= 0 else 0
    return buffer.raw[: max(0, count)].decode("utf-8", "replace")
