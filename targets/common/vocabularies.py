"""What a `tokenizers` file says, as the bytes of every token: the loops of an app need no more."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.documents import read_table
from edgekit.core import Facts, fact_of
from edgekit.errors import BadInput, Unsupported

#: Longer than the description of any vocabulary.
_MOST = 64 * 2**20
#: What the loop's WordPiece does, whatever else a tokenizer says.
_NORMALIZER = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
_PRE_TOKENIZER = {"type": "BertPreTokenizer"}
_PIECES = {"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
#: The value of a rule of the loop's WordPiece.
Rule = bool | str | list[str]


class _Rules(NamedTuple):
    """See `pieces`."""

    lower: bool
    accents: bool
    frame: list[str]
    unknown: str
    special: list[str]
    late: list[str]


#: What the loop does unless it is given other rules: those of BERT for text in lower case.
_BERT = _Rules(True, False, ["[CLS]", "[SEP]"], "[UNK]", ["[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]"], [])


def vocabulary_of(folder: Path, facts: Facts) -> tuple[bytes | None, dict[str, Rule]]:
    """The tokens of a bundle in `folder` (None: it reads and writes no texts), and the rules of `pieces`.

    Raises:
        BadInput: its tokenizer is damaged. Unsupported: the loops have no such tokenizer.
    """
    if "tokenizer" in facts:
        return pieces(folder / str(fact_of(facts, "tokenizer", dict)["file"]))
    whole = folder / "tokenizer.json"
    return (vocabulary(whole, _words(facts)) if whole.is_file() else None), {}


def vocabulary(file: Path, count: int) -> bytes:
    """The bytes of the first `count` tokens: for each an unsigned 16-bit length and as many bytes, little-endian.

    Raises:
        BadInput: not a byte-level vocabulary.
    """
    try:
        names = {int(token): str(piece) for piece, token in _read(file)["model"]["vocab"].items()}
        alphabet = _alphabet()
        return _pack_tokens([bytes(alphabet[letter] for letter in names[token]) for token in range(count)])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as exc:
        raise BadInput(f"{file.name} is not Whisper's: {exc}.", hint="Export the bundle again.") from exc


def pieces(file: Path) -> tuple[bytes, dict[str, Rule]]:
    """All tokens of a WordPiece vocabulary, in the form of `vocabulary`; and its rules, where they are not BERT's for
    text in lower case.

    ``lower`` False: letters stay as large as they are. ``accents`` True: they stay. ``frame``: the first and the last
    token. ``unknown``: that of a word that cannot be spelt. ``special``: tokens that a text may name. ``late``: those
    that are looked for once the text has small letters.

    Raises:
        BadInput: it is damaged. Unsupported: it is of another kind, and the message names which of its members is.
    """
    try:
        stated = _read(file)
        model, normalizer = dict(stated["model"]), dict(stated.get("normalizer") or {})
        pieced = model.get("type") == _PIECES["type"]
        names = {int(token): str(piece) for piece, token in dict(model.pop("vocab") if pieced else {}).items()}
        lower, strip = normalizer.pop("lowercase", None), normalizer.pop("strip_accents", None)
        added = [(str(token["content"]), bool(token.get("normalized"))) for token in stated["added_tokens"]]
        rules = _Rules(
            lower=bool(lower),
            accents=not (bool(lower) if strip is None else strip),
            frame=_frame(stated.get("post_processor") or {}),
            unknown=model.pop("unk_token", ""),
            special=sorted(name for name, late in added if not late),
            late=sorted(name for name, late in added if late),
        )
        content = _pack_tokens([names[token].encode() for token in range(len(names))])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as exc:
        raise BadInput(
            f"{file.name} cannot be read as a WordPiece vocabulary: {exc}.", hint="Export it again."
        ) from exc
    same = {
        "normalizer": normalizer == _NORMALIZER,
        "pre_tokenizer": stated.get("pre_tokenizer") == _PRE_TOKENIZER,
        "model": model == _PIECES,
        "post_processor": len(rules.frame) == 2,
        "added_tokens": not any(token.get("single_word") for token in stated["added_tokens"]),
    }
    if others := [name for name, is_same in same.items() if not is_same]:
        raise Unsupported(
            f"{file.name} is no WordPiece tokenizer of BERT's kind, by its {' and '.join(others)}: no loop has it.",
            hint="Export an imported model with --task tensors: the app then makes the tokens.",
        )
    return content, {name: rule for name, rule in rules._asdict().items() if rule != getattr(_BERT, name)}


def _frame(post_processor: Mapping[str, Any]) -> list[str]:
    """The tokens around a text; [] where it is not one before and one behind."""
    if "cls" in post_processor:  # BERT's and RoBERTa's own kinds
        return [str(post_processor["cls"][0]), str(post_processor["sep"][0])]
    single = post_processor.get("single", ())
    steps = [step["SpecialToken"]["id"] if "SpecialToken" in step else None for step in single]
    return [str(steps[0]), str(steps[2])] if [step is None for step in steps] == [False, True, False] else []


def _read(file: Path) -> dict[str, Any]:
    return read_table(file, _MOST)


def _pack_tokens(tokens: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack("<H", len(token)) + token for token in tokens)


def _words(facts: Facts) -> int:
    """How many tokens have a text."""
    try:
        return int(fact_of(facts, "tokens", dict)["end_of_text"])
    except (LookupError, TypeError, ValueError) as exc:
        raise BadInput("the bundle does not say which token ends a text.", hint="Export it again.") from exc


def _alphabet() -> dict[str, int]:
    """Letter -> byte of byte-level vocabularies: printable bytes stand for themselves, the others for 256 and up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
