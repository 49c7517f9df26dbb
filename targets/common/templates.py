"""Templates: files that compile as they are, and in which names are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def fill(template: Path, out: Path, words: Mapping[str, str]) -> str:
    """Copy a template with its names replaced, the longest first; what is in `out` then."""
    text = replace_words(template.read_text(encoding="utf-8"), words)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return text


def replace_words(text: str, words: Mapping[str, str]) -> str:
    """A text in which these words are replaced, the longest first, as some are parts of others."""
    for word in sorted(words, key=lambda word: (-len(word), word)):
        text = text.replace(word, words[word])
    return text


def words_of(manifest: Any, size: int) -> dict[str, str]:
    """What every package says of its bundle: names in the templates -> what they become.

    Args:
        size: of the model, in bytes.
    """
    return {
        "edgekit-size": f"{size / 1e6:.1f}",
        "edgekit-source": plain(f"{manifest.source.uri} {manifest.source.revision}".strip()),
        "edgekit-accuracy": plain(f"{manifest.gate.verdict}: {manifest.gate.reason}"),
        "edgekit-bundle": plain(manifest.digest),
    }


def plain(text: str) -> str:
    """What a bundle says, for a page or a build file that will be run: nothing in it is markup, or ends a string or a
    line."""
    return re.sub(r"[^A-Za-z0-9 .,:;()+/@%=_-]", "", text)[:300]
