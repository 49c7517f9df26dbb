"""Texts: mostly English prose of three centuries, a little code, German, Spanish, French and Italian.

A half has eight documents of about 5 kB, two chunks each of a language model, and 32 sentences of as many documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.stored import halves, rows


def _texts(folder: Path) -> Sequence[Sample]:
    return [Sample(str(path), str(path), path.stem, source=path.stem) for half in halves("texts") for path in half]


def _sentences(folder: Path) -> Sequence[Sample]:
    return [
        Sample(sentence, None, f"{half}-{number:02d}", "en", document)
        for half, lines in zip(("first", "second"), rows("sentences"), strict=True)
        for number, (sentence, document) in enumerate(lines, 1)
    ]


def with_a_gap(sample: Sample) -> Sample:
    """A sentence with its middle word left out."""
    words = str(sample.input).split()
    words[len(words) // 2] = "[MASK]"
    return replace(sample, input=" ".join(words))


#: Of language models: documents.
TEXTS = Evidence(
    "texts",
    "LicenseRef-public-domain AND Apache-2.0",
    "85 kB of addresses of Presidents of the United States, two novels, poems, and code of edgekit",
    _texts,
)
#: Of models of sentences.
SENTENCES = Evidence(
    "sentences",
    "LicenseRef-public-domain",
    "64 English sentences of as many addresses of Presidents of the United States",
    _sentences,
)
#: Of models that fill a gap.
GAPPED = replace(
    SENTENCES, name="sentences with a gap", samples=lambda folder: [with_a_gap(sample) for sample in _sentences(folder)]
)
