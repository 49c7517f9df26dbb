"""The templates of a Swift package: their files compile as they are, and names in them are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["TEMPLATES", "fill", "plain"]

TEMPLATES = Path(__file__).parent / "apple"


def plain(text: str) -> str:
    """What a bundle says, for a page: nothing in it is markup."""
    return re.sub(r"[^A-Za-z0-9 .,:;()+/@%=_-]", "", text)[:300]


def fill(template: str, out: Path, words: Mapping[str, str]) -> None:
    """Copy a template with its names replaced, the longest first."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for word in sorted(words, key=lambda word: (-len(word), word)):
        text = text.replace(word, words[word])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
