"""Templates: files that compile as they are, and in which names are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def fill(template: Path, out: Path, words: Mapping[str, str]) -> str:
    """Copy a template with its names replaced, the longest first; what is in `out` then."""
    text = template.read_text(encoding="utf-8")
    for word in sorted(words, key=lambda word: (-len(word), word)):
        text = text.replace(word, words[word])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return text


def plain(text: str) -> str:
    """What a bundle says, for a page or a build file that will be run: nothing in it is markup, or ends a string or a
    line."""
    return re.sub(r"[^A-Za-z0-9 .,:;()+/@%=_-]", "", text)[:300]
