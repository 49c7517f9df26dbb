"""Speech activity: spans, the listener, the detector, its data, its metric and its agreement."""

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
from edgekit.tasks.evidence.pauses import PAUSES
from edgekit.tasks.voice_activity_detection import TASK, Listener, Rules, segments
from edgekit.tasks.voice_activity_detection.detector import SpeechDetector

FACTS = {
    "sample_rate": 16_000,
    "hop": 512,
    "context": 64,
    "states": {"h": "h_after"},
    "rules": {"threshold": 0.5, "shortest": 0.25, "pause": 0.1, "padding": 0.03},
}


class Loudness(Runner):
    """A "network": speech where it is loud, and a state that counts the calls."""

    inputs = (TensorSpec("audio", "float32", (1, 576)), TensorSpec("h", "float32", (1, 1)))
    outputs = (TensorSpec("probability", "float32", (1, 1)), TensorSpec("h_after", "float32", (1, 1)))

    def __init__(self) -> None:
        self.seen: list[float] = []

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        assert feeds["audio"].shape == (1, 576) and feeds["audio"].dtype == np.float32
        self.seen.append(float(feeds["h"][0, 0]))
        loud = np.abs(feeds["audio"][:, 64:]).mean(axis=1, keepdims=True)
        return {"probability": np.minimum(1, 10 * loud), "h_after": feeds["h"] + 1}


def tone(*spans: tuple[float, float], seconds: float) -> NDArray[np.float32]:
    sound = np.zeros(round(16_000 * seconds), np.float32)
    for start, end in spans:
        sound[round(16_000 * start) : round(16_000 * end)] = 0.2
    return sound


def test_spans_have_hysteresis_least_durations_and_padding() -> None:
    frames = [0.1] * 10 + [0.6] * 10 + [0.4] * 10 + [0.1] * 10 + [0.9] * 3 + [0.0] * 10
    assert segments(frames, seconds=53 * 0.032) == [(0.29, 0.99)]  # three frames are too short
    assert segments(frames, Rules(release=0.5), seconds=53 * 0.032) == [(0.29, 0.67)]
    assert len(segments(frames, Rules(shortest=0.05), seconds=53 * 0.032)) == 2
    assert len(segments(frames, Rules(shortest=0.05, pause=0.4), seconds=53 * 0.032)) == 1
    assert segments([], seconds=0) == []


def test_a_long_span_is_cut_in_its_longest_pause() -> None:
    frames = [0.9] * 40 + [0.0] * 4 + [0.9] * 20 + [0.0] * 8 + [0.9] * 60
    spans = segments(frames, Rules(pause=0.5, longest=3, padding=0), seconds=132 * 0.032)
    assert spans == [(0.0, 2.048), (2.304, 4.224)]


@pytest.mark.parametrize(
    "wrong", [{"threshold": 2}, {"release": 0.6}, {"pause": -1}, {"longest": 0.5}, {"padding": "a"}, {"cut": True}]
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Rules(**wrong)


@pytest.mark.parametrize("size", [1, 511, 512, 4000])
def test_a_listener_does_not_mind_where_the_sound_is_cut(size: int) -> None:
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, 5000).astype(np.float32)
    whole, pieces = Listener(Loudness(), FACTS), Listener(Loudness(), FACTS)
    wanted = [*whole.push(sound), *whole.finish()]
    got = [p for start in range(0, 5000, size) for p in pieces.push(sound[start : start + size])]
    assert [*got, *pieces.finish()] == wanted and len(wanted) == 10
    assert list(pieces.finish()) == []


class Rows(Loudness):
    """The same for frames in a row, whose state counts the frames."""

    inputs = (TensorSpec("audio", "float32", ("rows", 576)), TensorSpec("h", "float32", (1, 1)))
    outputs = (TensorSpec("probability", "float32", ("rows", 1)), TensorSpec("h_after", "float32", (1, 1)))

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.seen.append(float(feeds["h"][0, 0]))
        loud = np.abs(feeds["audio"][:, 64:]).mean(axis=1, keepdims=True)
        return {"probability": np.minimum(1, 10 * loud), "h_after": feeds["h"] + len(loud)}


@pytest.mark.parametrize("size", [100, 3000, 200_000])
def test_a_network_that_takes_frames_in_a_row_gets_them(size: int) -> None:
    sound, rows = np.random.default_rng(0).uniform(-0.1, 0.1, 200_000).astype(np.float32), Rows()
    single, several = Listener(Loudness(), FACTS), Listener(rows, FACTS)
    wanted = [*single.push(sound), *single.finish()]
    got = [p for start in range(0, len(sound), size) for p in several.push(sound[start : start + size])]
    assert [*got, *several.finish()] == wanted and len(wanted) == 391
    assert len(rows.seen) == {100: 391, 3000: 68, 200_000: 3}[size] and rows.seen == sorted(rows.seen)
    several.reset()
    with several.frame_by_frame():
        assert [*several.push(sound[:5120])] == wanted[:10]
    assert rows.seen[-10:] == list(range(10))


def test_a_detector_forgets_the_sound_before() -> None:
    network = Loudness()
    detector = SpeechDetector({"network": network}, Path(), FACTS)
    first = detector.predict(tone((1, 2), (3.1, 4), seconds=5))
    assert first.output == "speech from 0.96 to 2.05, 3.07 to 4.03 s"
    assert first == detector.predict(tone((1, 2), (3.1, 4), seconds=5))
    assert network.seen == [float(i) for i in range(157)] * 2
    assert detector.predict(tone((1, 2), seconds=5), padding=0).output == "speech from 0.99 to 2.02 s"


def test_sounds_of_a_tenth_of_a_second_and_of_an_hour() -> None:
    detector = SpeechDetector({"network": Loudness()}, Path(), FACTS)
    assert detector.predict(tone(seconds=0.1)).output == "no speech"
    told: list[float] = []
    hour = detector.predict(tone((1800, 1801), seconds=3600), progress=lambda done, total: told.append(done / total))
    assert [round(span["start"]) for span in hour.details["speech"]] == [1800]
    assert len(hour.details["probabilities"]) == 112_500 and told[-1] == 1.0


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    detector = SpeechDetector({"network": Loudness()}, Path(), FACTS)
    (tmp_path / "no.wav").write_text("no sound")
    for wrong in (str(tmp_path / "no.wav"), str(tmp_path / "absent.wav"), np.zeros(0, np.float32)):
        with pytest.raises(BadInput):
            detector.predict(wrong)
    with pytest.raises(BadInput, match="no option 'volume'") as caught:
        detector.predict(tone(seconds=1), volume=3)
    assert "threshold" in str(caught.value.hint)


def test_data_folders(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert [sample.truth for sample in TASK.samples(tmp_path, ())] == [None]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps({"audio": "a.wav", "speech": [[0.5, 1], [2, 3.5]]}) + "\n")
    assert [sample.truth for sample in TASK.samples(tmp_path, ())] == [[(0.5, 1.0), (2.0, 3.5)]]
    for wrong in ({"audio": "a.wav"}, {"audio": "b.wav", "speech": []}, {"audio": "a.wav", "speech": [[2, 1]]}):
        manifest.write_text(json.dumps(wrong) + "\n")
        with pytest.raises(BadInput, match="line 1"):
            TASK.samples(tmp_path, ())


def test_the_frame_error_rate_counts_misses_and_false_alarms() -> None:
    metric = metrics.find("frame-error")
    outputs = [{"spans": [(1.0, 2.0)], "seconds": 4.0}, {"spans": [], "seconds": 2.0}]
    pairs = metrics.score(metric, outputs, [[(1.5, 2.5)], [(0.0, 0.2)]])
    assert pairs == [(100.0, 400.0), (20.0, 200.0)]
    assert metrics.aggregate(metric, pairs) == pytest.approx(0.2)
    assert metrics.score(metric, outputs, outputs) == [(0.0, 400.0), (0.0, 200.0)]
    with pytest.raises(BadInput, match="sample 0 has no truth"):
        metrics.score(metric, outputs[:1], [None])


def test_agreement_is_by_the_decision_of_each_frame() -> None:
    agreement = find("tasks", "voice-activity-detection").agreement
    reference = [{"threshold": 0.5, "probabilities": [0.1] * 50 + [0.9] * 50}]
    near = [{"threshold": 0.5, "probabilities": [0.4] * 50 + [0.6] * 50}]
    far = [{"threshold": 0.5, "probabilities": [0.1] * 47 + [0.9] * 53}]
    assert list(agreement.same(near, reference)) == [True] and list(agreement.same(far, reference)) == [False]
    assert list(agreement.same([{"threshold": 0.5, "probabilities": [0.1]}], reference)) == [False]
    figures = agreement.figures(far, reference)
    assert figures["share of frames with the same decision"] == 0.97
    assert figures["largest difference of a probability"] == pytest.approx(0.8)


def test_the_evidence_is_speech_between_pauses_at_known_times() -> None:
    samples, again = PAUSES.samples(Path()), PAUSES.samples(Path())
    assert len(samples) == 24 and len({sample.input.tobytes() for sample in samples}) == 24
    for sample, same in zip(samples, again, strict=True):
        assert np.array_equal(sample.input, same.input)
        said = sum(end - start for start, end in sample.truth)
        assert 0.3 < said / (len(sample.input) / 16_000) < 0.85
        edges = [edge for span in sample.truth for edge in span]
        assert edges == sorted(edges) and edges[0] >= 0.5


def test_the_curve_and_the_spans_are_drawn() -> None:
    answer = SpeechDetector({"network": Loudness()}, Path(), FACTS).predict(tone((1, 2), seconds=5))
    assert len(answer.details["loudness"]) == len(answer.details["probabilities"]) == 157
    assert answer.details["loudness"][40] == pytest.approx(0.2) and answer.details["loudness"][5] == 0
    assert TASK.show is not None
    image = TASK.show(None, answer)
    assert image.size[0] > 300 and len(image.getcolors(10_000)) > 3
