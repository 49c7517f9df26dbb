"""The texts of a model's special tokens, of which a .gguf's header tells the numbers only."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edgekit.errors import BadInput
from edgekit.llama import library


def special_tokens(file: Path) -> dict[str, str]:
    """``bos_token`` and ``eos_token`` as texts, "" where the model has none. Loads the vocabulary alone.

    Raises:
        BadInput: llama.cpp cannot read it. MissingExtra: llama.cpp is not installed.
    """
    with _vocabulary(file) as (api, words):
        numbers = {"bos_token": api.llama_vocab_bos(words), "eos_token": api.llama_vocab_eos(words)}
        return {
            name: _bytes(api, words, int(number), True).decode("utf-8", "replace") for name, number in numbers.items()
        }


def pieces(file: Path, tokens: Iterable[int]) -> list[bytes]:
    """The bytes of each token in a text, none of a control token's. Loads and raises as `special_tokens`."""
    with _vocabulary(file) as (api, words):
        return [_bytes(api, words, int(token), False) for token in tokens]


@contextlib.contextmanager
def _vocabulary(file: Path) -> Iterator[tuple[Any, Any]]:
    """The library, and the vocabulary of a file."""
    api = library.bindings()
    settings = api.llama_model_default_params()
    settings.vocab_only = True
    model = api.llama_model_load_from_file(str(file).encode(), settings)
    if not model:
        raise BadInput(f"llama.cpp cannot read the vocabulary of {file.name}.")
    try:
        yield api, api.llama_model_get_vocab(model)
    finally:
        api.llama_model_free(model)


def _bytes(api: Any, words: Any, token: int, special: bool) -> bytes:
    buffer = ctypes.create_string_buffer(256)
    count = int(api.llama_token_to_piece(words, token, buffer, 256, 0, special)) if token >= 0 else 0
    return buffer.raw[: max(0, count)]
