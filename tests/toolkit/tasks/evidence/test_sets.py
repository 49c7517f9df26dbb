"""The samples that travel with edgekit: enough, real, in two halves that share nothing, and free."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgekit.core import Evidence, Sample
from edgekit.registry import find, names
from edgekit.tasks.common import pictures
from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.evidence.people import PEOPLE
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.evidence.speech import SPEECH, VOICES
from edgekit.tasks.evidence.spoken import SPOKEN
from edgekit.tasks.evidence.stored import halves
from edgekit.tasks.evidence.texts import SENTENCES, TEXTS
from edgekit.tasks.resolved import evidence_of, task_of

ORIGIN = (Path(halves("texts")[0][0]).parents[2] / "evidence-origin.txt").read_text(encoding="utf-8")


def split(evidence: Evidence) -> tuple[list[Sample], list[Sample]]:
    samples = list(evidence.samples(Path()))
    return samples[: len(samples) // 2], samples[len(samples) // 2 :]


@pytest.mark.parametrize("evidence", [PICTURES, SPEECH, VOICES, SENTENCES, SPOKEN], ids=lambda evidence: evidence.name)
def test_halves_are_large_enough_and_share_nothing(evidence: Evidence) -> None:
    first, second = split(evidence)
    assert len(first) == len(second) >= 16
    assert len({sample.name for sample in (*first, *second)}) == len(first) + len(second), "names are used twice"
    assert evidence.licence and evidence.origin and not evidence.synthetic


@pytest.mark.parametrize("kind", ["pictures", "speech", "texts"])
def test_every_file_is_in_its_own_half_and_its_origin_is_written_down(kind: str) -> None:
    first, second = halves(kind)
    assert {path.parent.name for path in first} == {"first"} and {path.parent.name for path in second} == {"second"}
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (*first, *second)}
    assert len(digests) == len(first) + len(second), "a file is there twice"
    named = [path.stem if kind == "texts" else path.stem.rpartition("-")[0] for path in (*first, *second)]
    assert [name for name in named if name not in ORIGIN] == []


def test_what_the_golden_inputs_show_is_in_the_first_half() -> None:
    for kind, name in (("pictures", "coffee"), ("pictures", "astronaut"), ("speech", "jfk")):
        first, second = halves(kind)
        assert any(path.stem.startswith(name) for path in first)
        assert not any(path.stem.startswith(name) for path in second)


def test_pictures_are_photographs_of_a_usable_size() -> None:
    for sample in PICTURES.samples(Path()):
        image, notes = pictures.open_image(sample.input)
        assert min(image.size) >= 224 and not notes, sample.name
        assert np.asarray(image).std() > 15, f"{sample.name} shows next to nothing"


def test_clips_are_speech_of_some_seconds() -> None:
    for sample in VOICES.samples(Path()):
        audio = open_audio(sample.input, 16_000)
        assert 1.5 <= audio.seconds <= 8 and not audio.notes, sample.name
        sound = audio.window(0, 8 * 16_000)
        assert 0.005 < float(np.sqrt(np.square(sound).mean())) < 0.3, f"{sample.name} is too soft or too loud"
    assert {sample.language for sample in VOICES.samples(Path())} == {"en", "fr", "it", "ru"}
    assert {sample.language for sample in SPEECH.samples(Path())} == {"en"}


def test_texts_are_long_enough_for_two_chunks_of_a_language_model_each() -> None:
    for half in split(TEXTS):
        assert len(half) == 8
        assert all(4_000 < len(Path(sample.input).read_bytes()) < 5_800 for sample in half)


def test_sentences_are_whole() -> None:
    for sample in SENTENCES.samples(Path()):
        assert sample.input[0].isupper() and sample.input[-1] in ".?!" and "\n" not in sample.input


#: Tasks whose evidence is fetched: fonts that letters are rendered with, ratings that may not be passed on.
FETCHED = {"image-to-text", "recommendation"}


def test_every_model_of_the_registry_has_evidence() -> None:
    for name in names("models"):
        model = find("models", name)
        evidence = evidence_of(model)
        assert evidence is not None, f"{name} has no evidence"
        assert task_of(model).golden, f"the task of {name} has no golden input"
        assert bool(evidence.sources) == (task_of(model).name in FETCHED), "anything else is in the wheel"
        assert all(file.sha256 for source in evidence.sources for file in source.files)


def test_half_of_the_views_of_people_show_none_of_the_other_halfs_persons() -> None:
    first, second = split(PEOPLE)
    persons = [
        {sample.name.partition("-")[0] for sample in half if not isinstance(sample.input, str)}
        for half in (first, second)
    ]
    assert persons == [{"astronaut"}, {"hopper", "obama"}] and len(first) == len(second) == 28
    views = [sample.input for sample in (*first, *second) if not isinstance(sample.input, str)]
    assert len({view.tobytes() for view in views}) == len(views) == 44
    assert all(view.dtype == np.uint8 and view.shape[2] == 3 and min(view.shape[:2]) > 120 for view in views)


@pytest.mark.parametrize("name", ["okay-nabu", "ds-cnn-kws", "openwakeword-hey-jarvis"])
def test_keyword_samples_are_the_same_every_time_and_half_of_them_hold_the_phrase(name: str) -> None:
    evidence = evidence_of(find("models", name))
    assert evidence is not None
    first, second = split(evidence)
    again = evidence.samples(Path())
    for half in (first, second):
        spoken = [sample for sample in half if sample.name.startswith("with-")]
        assert len(spoken) == len(half) / 2 == 10
    mixed = [sample.input for sample in (*first, *second) if sample.name.startswith("with-")]
    assert all(
        np.array_equal(sound, sample.input)
        for sound, sample in zip(mixed, (s for s in again if s.name.startswith("with-")), strict=True)
    )
    assert len({sound.tobytes() for sound in mixed}) == len(mixed), "a mixture is there twice"
    assert all(sound.dtype == np.float32 and np.abs(sound).max() <= 1 for sound in mixed)
    assert evidence.samples(Path())[0].input.shape == (48_000,)
