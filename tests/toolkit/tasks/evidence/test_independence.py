"""What counts as one source: a name that samples share, and the same content stored again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from PIL import Image, ImageEnhance

from edgekit.core import Sample
from edgekit.tasks.evidence.independence import independent_sources, near_duplicates
from edgekit.tasks.evidence.pictures import PICTURES
from edgekit.tasks.evidence.speech import VOICES
from edgekit.tasks.evidence.texts import SENTENCES, TEXTS

DRAW = np.random.default_rng(7)
NOISE = DRAW.standard_normal((3, 4)).astype(np.float32)


def of(*inputs: Any) -> list[Sample]:
    return [Sample(value) for value in inputs]


def photographs() -> list[Path]:
    return [Path(sample.input) for sample in PICTURES.samples(Path()) if sample.name.endswith("-1")]


def jpeg(image: Any, quality: int) -> Any:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((image.width // 2, image.height // 2)),
        lambda image: image.resize((96, 96)),
        lambda image: ImageEnhance.Brightness(image).enhance(0.6),
        lambda image: image.convert("L"),
        lambda image: jpeg(image, 15),
    ],
    ids=["half", "thumbnail", "dark", "grey", "recompressed"],
)
def test_a_photograph_stored_again_is_found(change: Callable[[Any], Any], tmp_path: Path) -> None:
    for file in photographs()[:6]:
        change(Image.open(file)).save(tmp_path / f"{file.stem}.png")
    copies = [tmp_path / f"{file.stem}.png" for file in photographs()[:6]]
    groups = near_duplicates(of(*map(str, photographs()), *map(str, copies)))
    assert groups == [[i, i + len(photographs())] for i in range(6)]


def test_an_array_of_a_photograph_is_a_photograph() -> None:
    file = photographs()[0]
    assert near_duplicates(of(str(file), np.asarray(Image.open(file).resize((128, 128))))) == [[0, 1]]


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_a_sound_stored_again_is_found(kind: str, tmp_path: Path) -> None:
    clips = [str(sample.input) for sample in VOICES.samples(Path())][::4]
    for file in clips:
        sound, rate = soundfile.read(file)
        soundfile.write(tmp_path / f"{Path(file).stem}.{kind}", soxr.resample(0.3 * sound, rate, 11_025), 11_025)
    copies = [str(tmp_path / f"{Path(file).stem}.{kind}") for file in clips]
    assert near_duplicates(of(*clips, *copies)) == [[i, i + len(clips)] for i in range(len(clips))]


def test_a_text_with_a_word_changed_is_found_and_another_is_not() -> None:
    sentences = [str(sample.input) for sample in SENTENCES.samples(Path())]
    changed = [sentence.replace(" the ", " THE\n").rstrip(".") for sentence in sentences]
    assert near_duplicates(of(*sentences, *changed)) == [[i, i + len(sentences)] for i in range(len(sentences))]
    assert near_duplicates(of("Yes.", "yes", "No.")) == [[0, 1]]


def test_a_file_of_text_is_read(tmp_path: Path) -> None:
    texts = [Path(sample.input) for sample in TEXTS.samples(Path())]
    copy = tmp_path / "copy.txt"
    copy.write_text(texts[0].read_text(encoding="utf-8")[300:], encoding="utf-8")
    assert near_duplicates(of(*map(str, texts), str(copy))) == [[0, len(texts)]]


@pytest.mark.parametrize("wrapped", [lambda x: x, lambda x: {"a": x, "b": 2 * x}], ids=["array", "arrays"])
def test_arrays_are_equal_within_rounding(wrapped: Callable[[Any], Any]) -> None:
    inputs = NOISE, NOISE + np.float32(1e-5), NOISE[::-1], 2 * NOISE, NOISE.astype(np.float64), NOISE.reshape(4, 3)
    assert near_duplicates(of(*map(wrapped, inputs))) == [[0, 1]]


class Unknown:
    """An input of a kind that nobody knows."""


@pytest.mark.parametrize(
    "inputs",
    [
        (Unknown(), Unknown(), ("a", "b"), ["a", "c"], None, 3, 4.5, b"bytes", {}, {"x": object()}),
        (np.array(["a"]), np.array([None]), np.zeros(0), np.full(3, np.nan), np.float32(1)),
        ("", "\N{SNOWMAN}" * 5000, "a\0b", "/no/such/file.png", Path("/no/such/file.wav")),
        (np.zeros((80, 80, 3), np.uint8), np.zeros((80, 80, 1), np.uint8)[:0], {"text": "a", "picture": NOISE}),
    ],
    ids=["objects", "arrays", "texts", "mixed"],
)
def test_no_kind_is_refused_and_exact_copies_are_one(inputs: tuple[Any, ...]) -> None:
    assert near_duplicates(of(*inputs)) == []
    numbers = independent_sources(of(*inputs, *inputs))
    assert numbers[: len(inputs)] == list(range(len(inputs)))
    again = numbers[len(inputs) :]
    assert all(number == i for i, number in enumerate(again) if not _is_not_a_number(inputs[i]))


def _is_not_a_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and bool(np.isnan(value).any())


@pytest.mark.parametrize("name", ["broken.png", "broken.wav", "empty.jpg", "long.txt"])
def test_a_file_that_cannot_be_read_is_a_source_by_itself(name: str, tmp_path: Path) -> None:
    file, copy, other = (tmp_path / f"{i}-{name}" for i in range(3))
    for place, byte in ((file, b"\xff\x00"), (copy, b"\xff\x00"), (other, b"\xfe\x00")):
        place.write_bytes(b"" if name.startswith("empty") else byte * (800_000 if name.startswith("long") else 20))
    expected = [0, 0, 0] if name.startswith("empty") else [0, 0, 1]
    assert independent_sources(of(str(file), str(copy), str(other))) == expected


def test_names_and_duplicates_are_joined() -> None:
    samples = [
        Sample(NOISE, source="a"),
        Sample(-NOISE, source="b"),
        Sample(NOISE[:2], source="a"),
        Sample(NOISE[1:]),
        Sample(-NOISE),
        Sample(NOISE[1:] + np.float32(1e-6), source="c"),
        Sample(NOISE[:1], source="c"),
    ]
    assert independent_sources(samples) == [0, 1, 0, 2, 1, 2, 2]
    assert independent_sources([]) == []
