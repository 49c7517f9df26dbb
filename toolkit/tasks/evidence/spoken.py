"""Sentences to be read aloud, with their phonemes, so that nobody needs espeak-ng to judge a voice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgekit.core import Evidence, Sample

__all__ = ["SPOKEN", "spoken_sentences"]


def spoken_sentences(half: Literal["first", "second"]) -> list[tuple[str, str]]:
    """(sentence, its phonemes in American English by espeak-ng 1.52)."""
    from edgekit.tasks.evidence.stored import halves

    files = dict(zip(("first", "second"), halves("spoken"), strict=True))[half]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("\t") for line in lines if line]
    return [(text, phonemes) for text, _, phonemes in pairs]


def _samples(folder: Path) -> Sequence[Sample]:
    halves: tuple[Literal["first", "second"], ...] = ("first", "second")
    return [
        Sample(f"[[ {phonemes} ]]", None, f"{half}-{number:02d}", "en")
        for half in halves
        for number, (_, phonemes) in enumerate(spoken_sentences(half), 1)
    ]


#: `Sample.input` is a text of phonemes.
SPOKEN = Evidence(
    "spoken sentences",
    "LicenseRef-public-domain AND Apache-2.0",
    "40 English sentences, of addresses of Presidents of the United States and of Moby-Dick, and of edgekit's authors",
    _samples,
)
