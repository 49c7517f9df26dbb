"""Small pipelines of tasks: letters of CTC, labels, tables of texts, windows of samples, resizing by a rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.core import TensorSpec, fact_of
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.automatic_speech_recognition import decode_ctc
from edgekit.tasks.common.labels import rank_labels, top_of
from edgekit.tasks.common.pictures import fit_image
from edgekit.tasks.common.texts import texts
from edgekit.tasks.common.tokens import text_of
from edgekit.tasks.common.vectors import unit
from edgekit.tasks.common.waveforms import Waveforms
from edgekit.tasks.voice_activity_detection import Rules

_LETTERS = ["<pad>", "|", "a", "b"]


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ([2, 2, 0, 2, 3], "aab"),
        ([0, 0, 0], ""),
        ([1, 2, 1, 1, 0, 1, 3, 1], "a b"),
        ([2, 3, 3, 0, 3], "abb"),
        ([9, 2], "a"),
    ],
)
def test_letters(best: list[int], text: str) -> None:
    assert decode_ctc(best, _LETTERS, 0, "|") == text


def test_labels() -> None:
    logits = np.array([[0.0, 2.0, 1.0]], np.float32)
    answer = rank_labels(logits, ["a", "b", "c"], "softmax", 2, [], {})
    assert (answer.output, answer.score) == ("b", ("b", "c", "a"))
    assert [entry["label"] for entry in answer.details["scores"]] == ["b", "c"]
    assert answer.details["scores"][0]["score"] == pytest.approx(np.exp(2) / (1 + np.exp(2) + np.exp(1)))
    several = rank_labels(logits, ["a", "b", "c"], "sigmoid", 3, [], {})
    assert several.details["scores"][2]["score"] == pytest.approx(0.5)
    with pytest.raises(BadInput, match="3 scores for 2 labels"):
        rank_labels(logits, ["a", "b"], "softmax", 1, [], {})


@pytest.mark.parametrize("options", [{"bottom": 1}, {"top": 0}, {"top": "all"}, {"top": True}])
def test_options_of_labels(options: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        top_of(options)


def test_a_table_of_texts(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("text,label,text_pair\nfine,Good,\nbad one,0,really\n", "utf-8")
    first, second = texts(tmp_path, ["bad", "good"])
    assert (first.input, first.truth) == ("fine", "good")
    assert (second.input, second.truth) == (("bad one", "really"), "bad")
    for content, message in (
        ("text,class\na,b\n", "no columns"),
        ("text,label\n,good\n", "empty"),
        ("text,label\na,ugly\n", "no label 'ugly'"),
    ):
        table.write_text(content, "utf-8")
        with pytest.raises(BadInput, match=message):
            texts(tmp_path, ["bad", "good"])
    table.unlink()
    with pytest.raises(BadInput, match="no line"):
        texts(tmp_path, ["bad", "good"])
    (tmp_path / "a.txt").write_text("one\n\n two \n", "utf-8")
    assert [sample.input for sample in texts(tmp_path, [])] == ["one", "two"]


def test_a_fact_that_is_missing_or_of_another_kind_is_named() -> None:
    for facts in ({"sample_rate": 100, "most": 50}, {"sample_rate": 100, "most": 50, "least": "ten"}):
        with pytest.raises(BadInput, match="'least'"):
            Waveforms(facts)
    known = {"rules": {"threshold": 0.25, "newer": 1}, "least": None}
    assert fact_of(known, "rules", Rules) == Rules(threshold=0.25), "what a newer edgekit writes is no error"
    assert fact_of(known, "least", int, 3) == 3


def test_windows_of_a_sound() -> None:
    waveforms = Waveforms({"sample_rate": 100, "most": 50, "least": 10, "normalise": True})
    sound = np.random.default_rng(1).standard_normal(125).astype(np.float32)
    free = list(waveforms.windows(sound, TensorSpec("x", "float32", (1, "samples"))))
    assert [(wave.length, wave.samples.shape[1], wave.more) for wave in free] == [
        (50, 50, True),
        (50, 50, True),
        (25, 25, False),
    ]
    assert free[0].samples.std() == pytest.approx(1.0, abs=1e-3)
    filled = list(waveforms.windows(sound[:30], TensorSpec("x", "float32", (1, 40))))
    assert [(wave.length, wave.samples.shape[1]) for wave in filled] == [(30, 40)]
    assert not filled[0].samples[0, 30:].any()
    with pytest.raises(BadInput, match=r"takes 0\.10 s at least"):
        next(waveforms.windows(sound[:5], TensorSpec("x", "float32", (1, "samples"))))


def test_pictures_by_a_rule() -> None:
    image = Image.fromarray(np.arange(20 * 31 * 3, dtype=np.uint8).reshape(20, 31, 3))
    whole = fit_image(image, None, 8, 8)
    np.testing.assert_array_equal(whole, np.array(image.resize((8, 8), Image.Resampling.BILINEAR)))
    sharp = fit_image(image, {"filter": "lanczos", "size": [8, 8]}, 8, 8)
    np.testing.assert_array_equal(sharp, np.array(image.resize((8, 8), Image.Resampling.LANCZOS)))
    down = fit_image(image, {"crop": "center, down"}, 18, 28)  # 31 - 28 = 3: one to the left, two to the right
    np.testing.assert_array_equal(down, np.array(image)[1:19, 1:29])
    near = fit_image(image, {"crop": "center"}, 18, 28)
    np.testing.assert_array_equal(near, np.array(image)[1:19, 2:30])
    with pytest.raises(BadInput, match="no filter 'cubist'"):
        fit_image(image, {"filter": "cubist"}, 8, 8)


def test_a_vector_without_direction() -> None:
    for values in (np.zeros(3), np.array([np.nan, 1.0])):
        with pytest.raises(BadInput, match="no direction"):
            unit(values)


def test_every_sentence_with_a_gap_has_one() -> None:
    task = find("tasks", "fill-mask")
    assert task.evidence is not None
    samples = task.evidence.samples(Path())
    assert all(str(sample.input).count("[MASK]") == 1 for sample in samples)


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ("nofile.txt", "there is no text file 'nofile.txt'"),
        ("HERE/my file.txt", "there is no text file"),
        ("HERE", "is a folder"),
        ("HERE/photo.jpg", "does not end in .txt"),
        (Path("nofile"), "there is no text file"),
    ],
)
def test_a_path_is_not_taken_for_a_sentence(sample: str | Path, why: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match=why):
        text_of(sample.replace("HERE", str(tmp_path)) if isinstance(sample, str) else sample)


@pytest.mark.parametrize("text", ["Read the file notes.txt", "see docs/notes.txt", "and/or", "a" * 300 + " b", "a\0b"])
def test_a_sentence_is_not_taken_for_a_path(text: str) -> None:
    assert text_of(text) == text


def test_a_text_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("said in a file\n")
    assert text_of(str(tmp_path / "a b.txt")) == text_of(tmp_path / "a b.txt") == "said in a file"
