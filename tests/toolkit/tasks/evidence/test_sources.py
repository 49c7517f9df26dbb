"""Every set of evidence names the sources that its samples are views of, and no source is in both halves."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from edgekit.core import Evidence, Sample
from edgekit.registry import find, names
from edgekit.tasks.evidence.independence import independent_sources
from edgekit.tasks.evidence.people import PEOPLE
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.evidence.speech import VOICES
from edgekit.tasks.resolved import evidence_of

#: Set -> independent sources of its halves. A set that is not named here has a source a sample.
SOURCES = {
    "photographs": (15, 15),
    "people": (7, 8),
    "English speech": (2, 3),
    "voices": (3, 5),
    "speech and pauses": (3, 5),
    "texts": (8, 8),
    "series": (2, 6),
    "structures": (8, 4),
    "words and speech": (6, 8),
    "observations of ant-policy": (4, 4),
    "observations of hopper-policy": (4, 4),
    "observations of half-cheetah-policy": (4, 3),  # in two episodes the robot ends in the same place
}
#: One recording, synthesised, is in both halves: there is no other.
PHRASE, SOURCES_OF_A_PHRASE = "recording 1", (2, 4)


@cache
def sets() -> dict[str, Evidence]:
    found = [evidence_of(find("models", name)) for name in names("models")]
    return {evidence.name: evidence for evidence in (*found, VOICES) if evidence and not evidence.sources}


@cache
def samples_of(name: str) -> tuple[Sample, ...]:
    return tuple(sets()[name].samples(Path()))


def is_of_a_phrase(name: str) -> bool:
    return name.endswith(" and speech") and name not in SOURCES


@pytest.mark.parametrize("name", sorted(sets()))
def test_no_source_is_in_both_halves(name: str) -> None:
    samples = samples_of(name)
    numbers, middle = independent_sources(samples), len(samples) // 2
    shared = set(numbers[:middle]) & set(numbers[middle:])
    assert {samples[numbers.index(number)].source for number in shared} == ({PHRASE} if is_of_a_phrase(name) else set())


@pytest.mark.parametrize("name", sorted(sets()))
def test_a_set_has_as_many_sources_as_it_says(name: str) -> None:
    samples = samples_of(name)
    numbers, middle = independent_sources(samples), len(samples) // 2
    counts = len(set(numbers[:middle])), len(set(numbers[middle:]))
    each = (middle, len(samples) - middle)
    assert counts == (SOURCES_OF_A_PHRASE if is_of_a_phrase(name) else SOURCES.get(name, each))
    if counts != each:
        assert all(sample.source for sample in samples), "a set with fewer sources than samples names them"


def test_every_set_of_several_views_is_in_the_registry() -> None:
    assert set(SOURCES) <= set(sets())


def test_two_views_of_a_photograph_are_one_source_whoever_shows_them() -> None:
    of_pictures = {sample.name: sample.source for sample in PICTURES.samples(Path())}
    assert of_pictures["coffee-1"] == of_pictures["coffee-2"] == "coffee"
    assert len({sample.source for sample in PEOPLE.samples(Path()) if sample.name.startswith("astronaut")}) == 1


def test_a_clip_is_of_the_voice_that_its_name_begins_with() -> None:
    assert all(sample.name.startswith(f"{sample.source}-") for sample in VOICES.samples(Path()))
    assert len({sample.source for sample in VOICES.samples(Path())}) == 8
