"""Text from tokens without the tokenizers library: a table of bytes, half a megabyte where the library takes 19.

A ``tokenizer.json`` of byte-level BPE writes every byte as a letter (Radford et al. 2019, ``bytes_to_unicode``). To
read tokens it is enough to write these letters back; only to make tokens of a text merges are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from edgekit.common.documents import read_json
from edgekit.common.lazy import np
from edgekit.common.memory import give_back
from edgekit.errors import BadInput

#: Most tokens of a vocabulary; Whisper has 51,866.
_MOST = 1 << 20


class _Added(msgspec.Struct):
    id: int
    content: str


class _Model(msgspec.Struct):
    vocab: dict[str, int]


class _File(msgspec.Struct):
    model: _Model
    decoder: dict[str, Any]
    added_tokens: list[_Added] = []


class Vocabulary:
    """The tokens of a ``tokenizer.json``.

    Raises:
        BadInput: the file is damaged, or no byte-level BPE.
    """

    def __init__(self, file: Path) -> None:
        held: _File = read_json(file, kind=_File)
        if held.decoder.get("type") != "ByteLevel":
            raise BadInput(f"{file.name} is not the tokenizer of a Whisper: it is no byte-level BPE.")
        names = {**held.model.vocab, **{token.content: token.id for token in held.added_tokens}}
        if not names or min(names.values()) < 0 or max(names.values()) >= _MOST:
            raise BadInput(f"{file.name} is not a tokenizer that can be read: a token's number is out of range.")
        self._special = {name: number for name, number in names.items() if name.startswith("<|")}
        self._names = {number: name for name, number in self._special.items()}
        letters = _letters()
        spelled = {number: _token_bytes(name, letters) for name, number in names.items()}
        pieces = [spelled.get(number, b"") for number in range(max(names.values()) + 1)]
        self._bytes = b"".join(pieces)
        self._ends = np.cumsum([0, *map(len, pieces)]).astype(np.int32)
        del held, names, spelled, pieces
        give_back()

    def number(self, name: str) -> int | None:
        """The number of a special token."""
        return self._special.get(name)

    def name(self, number: int) -> str:
        """The name of a special token; "" for others."""
        return self._names.get(number, "")

    def text(self, tokens: Iterable[int]) -> str:
        """The text of tokens; bytes that are no letter (half of one, at an end) become U+FFFD."""
        ends, most = self._ends, len(self._ends) - 1
        content = (self._bytes[ends[token] : ends[token + 1]] for token in tokens if 0 <= token < most)
        return b"".join(content).decode("utf-8", "replace")


def _letters() -> dict[str, int]:
    """Letter -> byte: printable letters of Latin-1 stand for themselves, the others for the letters from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _token_bytes(token: str, letters: dict[str, int]) -> bytes:
    """The bytes that a token is written for; its own where a letter stands for none."""
    try:
        return bytes(letters[letter] for letter in token)
    except KeyError:
        return token.encode()
