"""Sentences to be read aloud, with their phonemes, so that nobody needs espeak-ng to judge a voice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.stored import rows


def spoken_sentences(half: Literal["first", "second"]) -> list[tuple[str, str]]:
    """(sentence, its phonemes in American English by espeak-ng 1.52)."""
    return [(text, phonemes) for text, phonemes, _ in rows("spoken")[("first", "second").index(half)]]


def _samples(folder: Path) -> Sequence[Sample]:
    return [
        Sample(f"[[ {phonemes} ]]", None, f"{half}-{number:02d}", "en", document)
        for half, lines in zip(("first", "second"), rows("spoken"), strict=True)
        for number, (_, phonemes, document) in enumerate(lines, 1)
    ]


#: `Sample.input` is a text of phonemes.
SPOKEN = Evidence(
    "spoken sentences",
    "LicenseRef-public-domain AND Apache-2.0",
    "40 English sentences: of 31 addresses of Presidents of the United States, and of edgekit's authors",
    _samples,
)
