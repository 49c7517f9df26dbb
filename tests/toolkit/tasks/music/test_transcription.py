"""Music transcription: notes out of activations, windows, files, data, metric, drawing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.bench import metrics
from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.automatic_music_transcription.notes import NoteRules, framed_notes
from edgekit.tasks.automatic_music_transcription.transcriber import Transcriber, midi_file
from edgekit.tasks.evidence.music import RATE, SCORES, pipe, synthesize_notes

TASK = find("tasks", "automatic-music-transcription")
#: A window of 16 frames of 100 samples at 1,000 Hz, of which 4 overlap.
FACTS = {
    "sample_rate": 1000,
    "window": 1600,
    "overlap": 4,
    "frame": 100,
    "frames_per_second": 10,
    "lowest": 21,
    "drift": {"frames": 16, "seconds": 0.0},
    "rules": {"onset": 0.5, "frame": 0.3, "shortest": 3, "tolerance": 2},
}


class Loudness(Runner):
    """A "network" that hears key 39 (middle C) where it is loud, with an onset where that begins."""

    inputs = (TensorSpec("audio", "float32", (1, 1600, 1)),)
    outputs = (TensorSpec("note", "float32", (1, 16, 88)), TensorSpec("onset", "float32", (1, 16, 88)))

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        loud = np.abs(feeds["audio"][0, :, 0]).reshape(16, 100).mean(axis=1)
        note, onset = (np.zeros((1, 16, 88), np.float32) for _ in range(2))
        note[0, :, 39] = loud
        onset[0, 1:, 39] = np.maximum(0, loud[1:] - loud[:-1])
        return {"note": note, "onset": onset}


def sound(*spans: tuple[float, float], seconds: float) -> NDArray[np.float32]:
    out = np.zeros(round(1000 * seconds), np.float32)
    for start, end in spans:
        out[round(1000 * start) : round(1000 * end)] = 0.9
    return out


def transcriber() -> Transcriber:
    return Transcriber({"network": Loudness()}, Path(), FACTS)


def test_notes_begin_at_onsets_and_end_where_they_fade() -> None:
    frames, onsets = (np.zeros((40, 88), np.float32) for _ in range(2))
    frames[5:20, 30], onsets[5, 30] = 0.8, 0.9
    frames[25:37, 50] = 0.6  # a rise of the activation counts as an onset, too
    notes = sorted(framed_notes(frames, onsets, NoteRules()), key=lambda note: note.start)
    assert [(note.start, note.end, note.key) for note in notes] == [(5, 20, 30), (25, 37, 50)]
    assert framed_notes(frames, onsets, NoteRules(shortest=20)) == []
    assert framed_notes(frames[:2], onsets[:2], NoteRules()) == []


@pytest.mark.parametrize("wrong", [{"onset": 1.5}, {"frame": "a"}, {"shortest": 1.5}, {"tolerance": -1}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        NoteRules(**wrong)


def test_windows_join_without_a_seam() -> None:
    answer = transcriber().predict(sound((1, 4.5), (6, 7), seconds=9))
    notes = [(note["start"], note["end"], note["pitch"]) for note in answer.details["events"]]
    assert notes == [(1.0, 4.5, 60), (6.0, 7.0, 60)]
    assert answer.details["lines"] == ["[    1.00 -     4.50] C4", "[    6.00 -     7.00] C4"]


def test_short_and_long_sounds() -> None:
    assert transcriber().predict(sound(seconds=0.1)).output == "no notes"
    hour = transcriber().predict(sound((1800, 1801), seconds=3600))
    assert [round(note["start"]) for note in hour.details["events"]] == [1800]
    with pytest.raises(BadInput, match="two hours"):
        transcriber().predict(sound(seconds=7300))


def test_files(tmp_path: Path) -> None:
    out = tmp_path / "notes.json"
    answer = transcriber().predict(sound((1, 2), seconds=3), out=str(out))
    assert json.loads(out.read_text()) == answer.details["events"]
    transcriber().predict(sound((1, 2), seconds=3), out=str(tmp_path / "notes.mid"))
    assert (tmp_path / "notes.mid").read_bytes() == midi_file(answer.details["events"])
    for wrong in ({"out": "notes.wav"}, {"speed": 2}):
        with pytest.raises(BadInput):
            transcriber().predict(sound((1, 2), seconds=3), **wrong)


def test_midi_is_what_the_standard_says() -> None:
    made = midi_file([{"start": 0.0, "end": 0.5, "pitch": 60, "velocity": 100}])
    tempo, on, off, end = b"\0\xff\x51\x03\x07\xa1\x20", b"\0\x90\x3c\x64", b"\x83\x60\x80\x3c\0", b"\0\xff\x2f\0"
    track = tempo + on + off + end
    assert made == b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk\0\0\0" + bytes([len(track)]) + track


def test_data_folders(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps({"audio": "a.wav", "notes": [[0.5, 1, 60]]}) + "\n")
    assert TASK.samples(tmp_path, ())[0].truth == [{"start": 0.5, "end": 1.0, "pitch": 60}]
    for wrong in ({"audio": "a.wav"}, {"audio": "b.wav", "notes": []}, {"audio": "a.wav", "notes": [[1, 0, 60]]}):
        manifest.write_text(json.dumps(wrong) + "\n")
        with pytest.raises(BadInput, match="line 1"):
            TASK.samples(tmp_path, ())


def test_f1_counts_notes_of_the_same_pitch_and_nearly_the_same_onset() -> None:
    metric = metrics.find("onset-f1")
    truth = [{"start": 1.0, "pitch": 60}, {"start": 2.0, "pitch": 60}, {"start": 3.0, "pitch": 64}]
    heard = [{"start": 1.04, "pitch": 60}, {"start": 2.06, "pitch": 60}, {"start": 3.0, "pitch": 65}]
    assert metrics.score(metric, [heard], [truth]) == [(2.0, 6.0)]
    near = [{"start": 1.0, "pitch": 60}, {"start": 1.06, "pitch": 60}]
    between = [{"start": 1.03, "pitch": 60}, {"start": 1.1, "pitch": 60}]
    assert metrics.score(metric, [near], [between]) == [(4.0, 4.0)]
    with pytest.raises(BadInput, match="no truth"):
        metrics.score(metric, [heard], [None])


def test_scores_are_played_at_their_pitch() -> None:
    tone = synthesize_notes([{"start": 0.0, "end": 1.0, "pitch": 69}], pipe)
    spectrum = np.abs(np.fft.rfft(tone[:RATE]))
    assert int(spectrum.argmax()) == 440
    samples = SCORES.samples(Path())
    assert len(samples) == 24 and len({sample.input.tobytes() for sample in samples}) == 24


def test_a_roll_is_drawn() -> None:
    answer = transcriber().predict(sound((1, 2), seconds=3))
    assert TASK.show is not None
    image = TASK.show(None, answer)
    assert image.size[0] > 300 and len(image.getcolors(10_000)) > 3
