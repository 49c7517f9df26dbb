"""What a `tokenizers` file says, as the bytes of every token: the loops of an app need no more."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import BadInput, Unsupported

__all__ = ["pieces", "vocabulary", "vocabulary_of"]

#: Longer than the description of any vocabulary.
_MOST = 64 * 2**20
#: What the loop's WordPiece does, and what it knows.
_WORDS = {
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
}
_PIECES = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary_of(folder: Path, facts: Mapping[str, Any]) -> bytes | None:
    """The tokens of a bundle in `folder`; None: it reads and writes no texts.

    Raises:
        BadInput: its tokenizer is damaged. Unsupported: the loops have no such tokenizer.
    """
    if "tokenizer" in facts:
        return pieces(folder / str(facts["tokenizer"]["file"]))
    whole = folder / "tokenizer.json"
    return vocabulary(whole, _words(facts)) if whole.is_file() else None


def vocabulary(file: Path, count: int) -> bytes:
    """The bytes of the first `count` tokens: for each an unsigned 16-bit length and as many bytes, little-endian.

    Raises:
        BadInput: not a byte-level vocabulary.
    """
    try:
        names = {int(token): str(piece) for piece, token in _read(file)["model"]["vocab"].items()}
        alphabet = _alphabet()
        return _packed([bytes(alphabet[letter] for letter in names[token]) for token in range(count)])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as exc:
        raise BadInput(f"{file.name} is not Whisper's: {exc}.", hint="Export the bundle again.") from exc


def pieces(file: Path) -> bytes:
    """All tokens of a WordPiece vocabulary, in the form of `vocabulary`.

    Raises:
        BadInput: it is damaged. Unsupported: it is another tokenizer than BERT's for text in lower case.
    """
    try:
        rules = _read(file)
        model = dict(rules["model"])
        names = {int(token): str(piece) for piece, token in model.pop("vocab").items()}
        frame = [str(step["SpecialToken"]["id"] if "SpecialToken" in step else "") for step in _single(rules)]
        special = [str(token["content"]) for token in rules["added_tokens"]]
        content = _packed([names[token].encode() for token in range(len(names))])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as exc:
        raise BadInput(
            f"{file.name} cannot be read as a WordPiece vocabulary: {exc}.", hint="Export it again."
        ) from exc
    same = {name: rules.get(name) == rule for name, rule in _WORDS.items()} | {"model": model == _PIECES}
    same |= {"post_processor": frame == ["[CLS]", "", "[SEP]"], "added_tokens": set(special) <= set(_SPECIAL)}
    if others := [name for name, is_same in same.items() if not is_same]:
        raise Unsupported(
            f"{file.name} is another tokenizer than BERT's for text in lower case, by its {' and '.join(others)}: no "
            "loop has it.",
            hint="Export an imported model with --task tensors: the app then makes the tokens.",
        )
    return content


def _single(rules: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What stands around a text."""
    steps: Sequence[Mapping[str, Any]] = rules["post_processor"]["single"]
    return steps


def _read(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _MOST:
        raise ValueError("it is too large")
    rules: dict[str, Any] = json.loads(file.read_bytes())
    return rules


def _packed(tokens: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack("<H", len(token)) + token for token in tokens)


def _words(facts: Mapping[str, Any]) -> int:
    """How many tokens have a text."""
    try:
        return int(facts["tokens"]["end_of_text"])
    except (LookupError, TypeError, ValueError) as exc:
        raise BadInput("the bundle does not say which token ends a text.", hint="Export it again.") from exc


def _alphabet() -> dict[str, int]:
    """Letter -> byte of byte-level vocabularies: printable bytes stand for themselves, the others for 256 and up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
