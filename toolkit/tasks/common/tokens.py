"""Texts to tokens, by the tokenizer.json of a bundle."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from edgekit.common.files import need_file, read_text
from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, TensorSpec, fact_of
from edgekit.errors import BadInput, need

#: Most bytes of a text, and of its file.
_LARGEST = 4 << 20


@contextlib.contextmanager
def tokenizing(file: str) -> Iterator[None]:
    """Map what the library raises over a damaged tokenizer, from the file of that name, to BadInput."""
    try:
        yield
    except BaseException as exc:  # the library raises Exception itself, and its panics do not even derive from that
        if isinstance(exc, Exception) or type(exc).__name__ == "PanicException":
            raise BadInput(f"{file} is not a tokenizer that can be read: {exc}.") from exc
        raise


class _Rules(TypedDict):
    file: str
    most: int
    pad: str
    side: str
    whole: NotRequired[bool]
    mask: NotRequired[str]


class Tokens:
    """The tokenizer of a bundle.

    `facts`: ``tokenizer`` {``file``; ``most``: tokens of a call, a longer text is cut; ``pad``: the token that fills;
    ``side`` "right" or "left"; ``whole``: whether a call always has `most` tokens; ``mask``: a gap}.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        with need("run", "Reading texts"):
            import tokenizers
        rules = fact_of(facts, "tokenizer", _Rules)
        path = folder / rules["file"]
        self._file = path.name
        with tokenizing(path.name):
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._most, self._left, self.mask = rules["most"], rules["side"] == "left", rules.get("mask", "")
        self._whole = rules.get("whole", False)
        self._pad = self._tokenizer.token_to_id(rules["pad"]) or 0
        self._tokenizer.no_padding()

    def ids(self, text: str, pair: str | None = None, most: int | None = None) -> list[int]:
        """The tokens of a text, or of two, cut to `most`."""
        return list(self._encode_text(text, pair, most).ids)

    def token(self, at: int) -> str:
        """The token with a number, as text ("" if there is none)."""
        return self._tokenizer.id_to_token(at) or ""

    def number(self, token: str) -> int | None:
        """The number of a token; None if there is none."""
        number: int | None = self._tokenizer.token_to_id(token)
        return number

    def text(self, ids: list[int]) -> str:
        """The text of tokens."""
        with tokenizing(self._file):
            return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def feeds(
        self, specs: tuple[TensorSpec, ...], text: str, pair: str | None = None
    ) -> tuple[dict[str, NDArray[Any]], bool]:
        """The inputs of a network that has `specs`, each int64 [1, N], and whether the text was cut.

        Filled up if the network takes a fixed number of tokens.
        """
        fixed = specs[0].shape[1]
        most = min(self._most, fixed) if isinstance(fixed, int) else self._most
        encoded = self._encode_text(text, pair, most)
        cut = bool(encoded.overflowing)
        length = fixed if isinstance(fixed, int) else most if self._whole else max(2, len(encoded.ids))
        rows = {
            "input_ids": (encoded.ids, self._pad),
            "attention_mask": (encoded.attention_mask, 1 if self._whole else 0),
            "token_type_ids": (encoded.type_ids, 0),
        }
        feeds = {}
        for spec in specs:
            values, fill = rows[spec.name]
            filling = [fill] * (length - len(values))
            row = [*filling, *values] if self._left else [*values, *filling]
            feeds[spec.name] = np.asarray([row], np.dtype(spec.dtype))
        return feeds, cut

    def _encode_text(self, text: str, pair: str | None, most: int | None) -> Any:
        with tokenizing(self._file):
            self._tokenizer.enable_truncation(most or self._most)
            return self._tokenizer.encode(text, pair)


def read_if_named(sample: Any) -> Any:
    """The content of a text file that a sample names; a sample that names none, as it is.

    A path that was meant, and cannot be read, is no sentence: the answer to it would be about the letters of the path.
    A bare word is a text, whatever lies in the current folder.

    Raises:
        BadInput: it names a folder, a file that does not end in .txt, or a .txt that is not there.
    """
    if isinstance(sample, Path):
        need_file(sample, "text file")
        return read_text(sample, _LARGEST)
    if not isinstance(sample, str):
        return sample
    if re.search(r"[/\\.]", sample) and os.path.exists(sample):  # noqa: PTH110  Path raises for a text of 300 letters
        return _content(Path(sample))
    if sample.endswith(".txt") and _is_path(sample):
        raise BadInput(f"there is no text file {sample!r}.", hint="Check the path, or give the text itself.")
    return sample


def _content(path: Path) -> str:
    need_file(path, "text file")
    if path.suffix != ".txt":
        raise BadInput(
            f"{str(path)!r} is a file that does not end in .txt.",
            hint=f'Give a text. If that is the text, add a full stop: "{path.name}."',
        )
    return read_text(path, _LARGEST)


def _is_path(text: str) -> bool:
    """Whether a text looks like a path: a single word, or something in a folder that exists. A sentence may end in the
    name of a file."""
    folder = os.path.dirname(text)  # noqa: PTH120  Path raises for a text of 300 letters
    return not re.search(r"\s", text) or (bool(folder) and os.path.isdir(folder))  # noqa: PTH112


def text_of(sample: Any) -> str:
    """A text, or the content of a file that ends in .txt.

    Raises:
        BadInput: it is empty, too long, or no text, or names something else than a file that ends in .txt.
    """
    sample = read_if_named(sample)
    if not isinstance(sample, str):
        raise BadInput(f"a sample is a text, not {type(sample).__name__}.")
    if not sample.strip():
        raise BadInput("the text is empty.", hint="Say something.")
    if len(sample) > _LARGEST:
        raise BadInput(f"the text has {len(sample)} letters; at most {_LARGEST} are read.")
    return sample.strip("\n")
