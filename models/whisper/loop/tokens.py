"""Whisper's vocabulary: special tokens, suppression lists, text from tokens (after whisper/tokenizer.py)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from edgekit.common.documents import parse_json
from edgekit.core import Facts
from edgekit.errors import BadInput, need
from edgekit.models.whisper.loop.vocabulary import Vocabulary
from edgekit.tasks.common.tokens import tokenizing

#: Symbols that annotate rather than transcribe; the original suppresses them by default.
_SYMBOLS = [
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    "<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))", "(((", ")))", "[[", "]]", "{{", "}}",
    "♪♪", "♪♪♪",
]  # fmt: skip
_MUSIC = set("♩♪♫♬♭♮♯")


class TokenFacts(TypedDict):
    """What a manifest says of tokens, as `Tokens.facts` gives it."""

    end_of_text: int
    start_of_transcript: int
    translate: NotRequired[int]
    transcribe: NotRequired[int]
    start_of_previous: int
    no_speech: int
    no_timestamps: int
    first_timestamp: int
    seconds_per_timestamp: float
    languages: dict[str, int]
    suppress: list[int]
    suppress_at_begin: list[int]


class Tokens:
    """The tokenizer of one Whisper, and the ids that decoding needs.

    Args:
        file: a ``tokenizer.json`` of the Hugging Face tokenizers library.

    Raises:
        BadInput: the file is damaged or is not Whisper's.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise BadInput(f"the tokenizer {file.name} is missing.")
        self._file = file
        self._vocabulary = Vocabulary(file)
        self.eot = self._id("<|endoftext|>")
        self.sot = self._id("<|startoftranscript|>")
        self.translate = self._id("<|translate|>")
        self.transcribe = self._id("<|transcribe|>")
        self.previous = self._id("<|startofprev|>")
        self.no_timestamps = self._id("<|notimestamps|>")
        self.no_speech = self._id("<|nospeech|>", "<|nocaptions|>")
        self.timestamps = self.no_timestamps + 1
        # Languages lie between the start of the transcript and the tasks; English-only models name none that they know.
        ids = range(self.sot + 1, min(self.translate, self.transcribe))
        self.languages = {self._vocabulary.name(i)[2:-2]: i for i in ids if self._is_language(i)}

    def _id(self, *names: str) -> int:
        for name in names:
            token = self._vocabulary.number(name)
            if token is not None:
                return token
        raise BadInput(f"the tokenizer has no {names[0]} token: it is not Whisper's.")

    def _is_language(self, token: int) -> bool:
        name = self._vocabulary.name(token)
        return name.startswith("<|") and name[2:-2].isalpha() and len(name) <= 7

    def text(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`; special tokens and timestamps are left out."""
        return self._vocabulary.text(token for token in tokens if token < self.eot)

    def encode(self, text: str) -> list[int]:
        """Tokens of `text`; what reads like a special token in it is left out, never obeyed.

        Raises:
            BadInput: the tokenizer is damaged.
            MissingExtra: the tokenizers package is absent.
        """
        encoder = self._encoder
        with tokenizing(self._file.name):
            ids: list[int] = encoder.encode(text, add_special_tokens=False).ids
        return [token for token in ids if token < self.eot]

    @cached_property
    def _encoder(self) -> Any:
        """The library's tokenizer, which takes 19 MB: loaded where a text becomes tokens, as a prompt does."""
        with need("run", "Reading the tokenizer"):
            import tokenizers
        with tokenizing(self._file.name):
            return tokenizers.Tokenizer.from_str(_whole(self._file.read_text(encoding="utf-8")))

    def facts(self) -> Facts:
        """Everything about tokens that a decoding loop in any language needs (JSON-able)."""
        return {
            "end_of_text": self.eot,
            "start_of_transcript": self.sot,
            "translate": self.translate,
            "transcribe": self.transcribe,
            "start_of_previous": self.previous,
            "no_speech": self.no_speech,
            "no_timestamps": self.no_timestamps,
            "first_timestamp": self.timestamps,
            "seconds_per_timestamp": 0.02,
            "languages": dict(self.languages),
            "suppress": self.tokens_to_suppress(),
            "suppress_at_begin": [*self.encode(" "), self.eot],
        }

    def tokens_to_suppress(self) -> list[int]:
        """Ids that are never sampled: annotation symbols, and the control tokens after the prompt."""
        out = {self.encode(" -")[0], self.encode(" '")[0]}
        for symbol in [*_SYMBOLS, *_MUSIC]:
            for text in (symbol, " " + symbol):
                tokens = self.encode(text)
                if len(tokens) == 1 or symbol in _MUSIC:
                    out.add(tokens[0])
        control = {self.sot, self.translate, self.transcribe, self.previous, self.no_speech, self.previous - 1}
        return sorted(out | control)


def _whole(text: str) -> str:
    """A tokenizer.json with the first merge of GPT-2's vocabulary.

    Converters that took it for the heading of merges.txt left it out. Then " the" becomes tokens that the network has
    never seen in front of a word.
    """
    facts = parse_json(text, "tokenizer.json")
    merges, vocabulary = facts["model"]["merges"], facts["model"]["vocab"]
    pairs = not merges or isinstance(merges[0], list)
    first: Any = ["Ġ", "t"] if pairs else "Ġ t"
    if "Ġt" in vocabulary and first not in merges:
        merges.insert(0, first)
    return json.dumps(facts, ensure_ascii=False)


def language_code(name: str, known: Mapping[str, int]) -> str:
    """`name` as a code of `known` ("en"); raises BadInput with what is known otherwise."""
    code = name.strip().lower()
    if code not in known:
        near = difflib.get_close_matches(code, known, n=3, cutoff=0.5)
        raise BadInput(
            f"the language {name!r} is not among this model's {len(known)}.",
            hint=(f"Did you mean {' or '.join(near)}? " if near else "")
            + f"Codes: {' '.join(sorted(known)) or 'none'}.",
        )
    return code
