"""Texts: mostly English prose of three centuries, a little code, German, Spanish, French and Italian."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Evidence, Sample

__all__ = ["SENTENCES", "TEXTS"]

#: Sentences of each half, and the letters that they may have.
_SENTENCES, _LEAST, _MOST = 32, 25, 220


def _texts(folder: Path) -> Sequence[Sample]:
    from edgekit.tasks.evidence.stored import halves

    return [Sample(str(path), str(path), path.stem) for half in halves("texts") for path in half]


def _sentences(folder: Path) -> Sequence[Sample]:
    from edgekit.tasks.evidence.stored import halves

    chosen = []
    for name, files in zip(("first", "second"), halves("texts"), strict=True):
        lines = [line for file in files for line in _lines(file.read_text(encoding="utf-8"))]
        chosen += [
            Sample(lines[i * len(lines) // _SENTENCES], None, f"{name}-{i + 1:02d}", "en") for i in range(_SENTENCES)
        ]
    return chosen


def _lines(text: str) -> list[str]:
    """Sentences of English prose: they begin with a capital and end with a full stop, inside a paragraph of a line."""
    import re

    paragraphs = [paragraph for paragraph in text.split("\n\n") if "\n" not in paragraph.strip()]
    end = re.compile(r"(?<=[.?!])(?<!Mr.) (?=[A-Z])")
    sentences = [sentence for paragraph in paragraphs for sentence in end.split(paragraph)]
    plain = re.compile(r"[A-Z][\x20-\x7e]+[.?!]")
    return [line for line in sentences if _LEAST <= len(line) <= _MOST and plain.fullmatch(line)]


_LICENCE = "LicenseRef-public-domain AND Apache-2.0"
_ORIGIN = "addresses of Presidents of the United States, Moby-Dick, poems, and code of edgekit"
#: Of language models: a text for each half.
TEXTS = Evidence("texts", _LICENCE, f"72 kB of {_ORIGIN}", _texts)
#: Of models of sentences.
SENTENCES = Evidence("sentences", _LICENCE, f"64 English sentences of {_ORIGIN}", _sentences)
