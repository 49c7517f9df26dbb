"""The full sets: more sources in the same halves, pinned, free, and made of nothing but the files of the table."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.core import Evidence
from edgekit.sources import fetch
from edgekit.tasks.evidence import full
from edgekit.tasks.evidence.full import full_evidence
from edgekit.tasks.evidence.independence import independent_sources
from edgekit.tasks.evidence.people import PEOPLE
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.evidence.speech import SPEECH, VOICES
from edgekit.tasks.evidence.spoken import SPOKEN
from edgekit.tasks.evidence.texts import GAPPED, SENTENCES, TEXTS

GROWING = [PICTURES, PEOPLE, TEXTS, SENTENCES, GAPPED]
#: Set -> sources of each half of the full set.
SOURCES = {
    "photographs": (77, 77),
    "people": (27, 28),
    "texts": (36, 36),
    "sentences": (116, 116),
    "sentences with a gap": (116, 116),
}
FREE = {"MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "GPL-2.0-only", "GPL-3.0-only"}


def table() -> list[Mapping[str, str]]:
    with (Path(full.__file__).parent / "data" / "full.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def larger(evidence: Evidence) -> Evidence:
    made = full_evidence(evidence)
    assert made is not None
    return made


def test_every_file_is_pinned_free_and_named_once() -> None:
    rows = table()
    assert all(re.fullmatch("[0-9a-f]{64}", row["sha256"]) and int(row["size"]) < 2 << 20 for row in rows)
    assert all(row["licence"] in FREE and row["half"] in ("first", "second") for row in rows)
    assert all(re.match(r"(npm|pypi)://(@[\w-]+/)?[\w.-]+@\d[\w.]*/", row["piece"]) for row in rows)
    for column in ("sha256", "piece"):
        assert max(Counter(row[column] for row in rows).values()) == 1
    assert max(Counter((row["kind"], row["source"]) for row in rows).values()) == 1


@pytest.mark.parametrize("evidence", GROWING, ids=lambda evidence: evidence.name)
def test_a_full_set_has_a_name_of_its_own_and_says_what_it_fetches(evidence: Evidence) -> None:
    made = larger(evidence)
    assert made.name != evidence.name and made.licence.startswith(evidence.licence)
    (source,) = made.sources
    assert source.files and all(file.sha256 and file.size and file.pieces for file in source.files)
    assert len({file.name for file in source.files}) == len(source.files)


@pytest.mark.parametrize("evidence", [SPEECH, VOICES, SPOKEN], ids=lambda evidence: evidence.name)
def test_sets_without_a_larger_one_say_so(evidence: Evidence) -> None:
    assert full_evidence(evidence) is None


@pytest.mark.parametrize("evidence", GROWING, ids=lambda evidence: evidence.name)
def test_the_set_that_travels_is_in_the_full_one_half_by_half(evidence: Evidence, tmp_path: Path) -> None:
    made = larger(evidence)
    random = np.random.default_rng(3)
    for number, file in enumerate(made.sources[0].files):
        place = tmp_path / file.name
        place.parent.mkdir(exist_ok=True)
        if place.suffix == ".txt":
            words = [" ".join(f"{word}{number}" for word in random.choice(WORDS, 9)) for _ in range(200)]
            place.write_text("To begin. " + " ".join(f"{line.capitalize()}." for line in words), encoding="utf-8")
        else:
            Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64)).save(place)
    samples, own = list(made.samples(tmp_path)), list(evidence.samples(Path()))
    numbers, middle = independent_sources(samples), len(samples) // 2
    assert (len(set(numbers[:middle])), len(set(numbers[middle:]))) == SOURCES[evidence.name]
    assert not set(numbers[:middle]) & set(numbers[middle:])
    names = [sample.name for sample in samples]
    assert len(set(names)) == len(names)
    assert {sample.name for sample in own[: len(own) // 2]} <= set(names[:middle])
    assert {sample.name for sample in own[len(own) // 2 :]} <= set(names[middle:])
    assert [sample.name for sample in made.samples(tmp_path)] == names


WORDS = ["duty", "harbour", "treaty", "canal", "revenue", "militia", "harvest", "frontier", "census", "loan"]


@pytest.mark.slow
@pytest.mark.parametrize("evidence", GROWING, ids=lambda evidence: evidence.name)
def test_what_the_packages_hold_is_what_is_pinned(evidence: Evidence, tmp_path: Path) -> None:
    made = larger(evidence)
    folder, _ = fetch(made.sources, cache=tmp_path)
    samples = list(made.samples(folder))
    numbers, middle = independent_sources(samples), len(samples) // 2
    assert (len(set(numbers[:middle])), len(set(numbers[middle:]))) == SOURCES[evidence.name]
    assert not set(numbers[:middle]) & set(numbers[middle:])
    if evidence is TEXTS:
        assert all(4_000 < len(Path(sample.input).read_bytes()) < 5_800 for sample in samples)
    if evidence is SENTENCES:
        assert all(sample.input[0].isupper() and sample.input[-1] in ".?!" for sample in samples)
