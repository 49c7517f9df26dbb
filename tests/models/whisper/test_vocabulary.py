"""Text from tokens as the tokenizers library makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_whisper import EOT, write_tokenizer
from tokenizers import Tokenizer

from edgekit.errors import BadInput
from edgekit.models.whisper.loop.vocabulary import Vocabulary


def test_any_tokens_read_as_by_the_library(tmp_path: Path) -> None:
    """Random bytes: letters of every alphabet, halves of letters, bytes that are none."""
    file = write_tokenizer(tmp_path / "tokenizer.json")
    own, library = Vocabulary(file), Tokenizer.from_file(str(file))
    rng = np.random.default_rng(0)
    texts = ["déjà vu, 日本語, 🙂", *(rng.bytes(40).decode("latin-1") for _ in range(50))]
    lists = [library.encode(text, add_special_tokens=False).ids for text in texts]
    lists += [rng.integers(0, EOT, 30).tolist() for _ in range(300)]
    for ids in lists:
        assert own.text(ids) == library.decode(ids, skip_special_tokens=False)


def test_special_tokens_have_numbers_and_names(tmp_path: Path) -> None:
    vocabulary = Vocabulary(write_tokenizer(tmp_path / "tokenizer.json"))
    assert vocabulary.number("<|endoftext|>") == EOT
    assert vocabulary.name(EOT) == "<|endoftext|>"
    assert vocabulary.number("a") is None
    assert vocabulary.name(0) == ""
    assert vocabulary.text([10**9, -1]) == ""


@pytest.mark.parametrize(
    "change",
    [{"decoder": {"type": "WordPiece"}}, {"decoder": None}, {"model": {"vocab": {"a": -1}}}, {"model": {"vocab": {}}}],
)
def test_what_is_no_byte_level_vocabulary(tmp_path: Path, change: dict[str, Any]) -> None:
    file = write_tokenizer(tmp_path / "tokenizer.json")
    document = json.loads(file.read_text()) | change | ({"added_tokens": []} if "model" in change else {})
    file.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="tokenizer"):
        Vocabulary(file)
