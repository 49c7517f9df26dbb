"""Transcriptions as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core import Prediction
from edgekit.errors import BadInput
from edgekit.tasks.automatic_speech_recognition.subtitles import ENDINGS, write

SEGMENTS = [{"start": 0.0, "end": 1.5, "text": "One <b> & two"}, {"start": 3661.25, "end": 3662.0, "text": "three"}]


def words(text: str, step: float = 0.3) -> list[dict[str, object]]:
    return [
        {"word": word, "start": i * step, "end": i * step + 0.25, "probability": 1.0}
        for i, word in enumerate(text.split())
    ]


def written(tmp_path: Path, name: str, details: dict[str, object]) -> str:
    write(Prediction("the text", details), tmp_path / name)
    return (tmp_path / name).read_text(encoding="utf-8")


def test_segments(tmp_path: Path) -> None:
    srt = written(tmp_path, "a.srt", {"segments": SEGMENTS})
    assert srt == ("1\n00:00:00,000 --> 00:00:01,500\nOne <b> & two\n\n2\n01:01:01,250 --> 01:01:02,000\nthree\n\n")
    vtt = written(tmp_path, "a.VTT", {"segments": SEGMENTS})
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &lt;b&gt; &amp; two\n\n")


def test_words_become_lines_that_can_be_read(tmp_path: Path) -> None:
    spoken = "And so my fellow Americans ask not what your country can do for you. Ask what you can do for it."
    srt = written(tmp_path, "a.srt", {"words": words(spoken), "segments": SEGMENTS})
    cues = [cue.split("\n", 2)[2] for cue in srt.strip().split("\n\n")]
    assert " ".join(cues).replace("\n", " ").split() == spoken.split()
    assert all(len(line) <= 45 for cue in cues for line in cue.split("\n"))
    assert cues[-1] == "Ask what you can do for it."


def test_a_pause_ends_a_subtitle(tmp_path: Path) -> None:
    pair = [*words("one"), {"word": "two", "start": 5.0, "end": 5.5, "probability": 1.0}]
    assert written(tmp_path, "a.srt", {"words": pair}).count("-->") == 2


def test_text_and_json(tmp_path: Path) -> None:
    assert written(tmp_path, "a.txt", {}) == "the text\n"
    assert json.loads(written(tmp_path, "a.json", {"segments": SEGMENTS}))["details"]["segments"] == SEGMENTS


def test_another_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.srt"):
        write(Prediction("x"), tmp_path / "a.docx")
    assert not list(tmp_path.iterdir()) and ".srt" in ENDINGS
