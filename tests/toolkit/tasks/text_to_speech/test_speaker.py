"""The pipeline from phonemes to a sound, on parts that are simple enough to know the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.tasks.text_to_speech.manner import Manner
from edgekit.tasks.text_to_speech.pieces import Alphabet
from edgekit.tasks.text_to_speech.speaker import Speaker

HOP, HALO, CHANNELS = 4, 3, 2
LETTERS = "abcdefgh ,.!?"
TABLE = {"_": [0], "^": [1], "$": [2], **{letter: [number] for number, letter in enumerate(LETTERS, 3)}}
FACTS = {
    "sample_rate": 8000,
    "hop": HOP,
    "window": 40,
    "halo": HALO,
    "most": 64,
    "pause": 0.01,
    "voice": "en-us",
    "manner": {"speed": 1.0, "noise": 0.5, "rhythm": 0.0, "seed": 0},
    "alphabet": TABLE,
}


class Durations(Runner):
    """An id lasts as many frames as its remainder by 3; its mean is the id."""

    def __init__(self, size: int | str = "phonemes") -> None:
        self.inputs = (
            TensorSpec("phonemes", "int32", (1, size)),
            TensorSpec("mask", "float32", (1, size)),
            TensorSpec("noise", "float32", (1, 2, size)),
        )
        self.outputs, self.calls = (), list[NDArray[Any]]()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        ids, mask = feeds["phonemes"], feeds["mask"]
        assert ids.dtype == np.int32 and ids.shape == mask.shape
        self.calls.append(ids[0, : int(mask.sum())])
        durations = (ids % 3) * mask - 0.2 * (ids > 0) + feeds["noise"][:, 0]
        means = np.repeat(ids[:, None].astype(np.float32), CHANNELS, 1)
        return {"durations": durations.astype(np.float32), "means": means, "deviations": 0.1 * np.ones_like(means)}


class Smoother(Runner):
    """Each sample is the mean of the frames around it, as far as the halo: windows that are too small show."""

    def __init__(self, size: int | str = "frames") -> None:
        self.inputs = (TensorSpec("latents", "float32", (1, CHANNELS, size)), TensorSpec("mask", "float32", (1, size)))
        self.outputs, self.sizes = (), list[int]()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        held = (feeds["latents"] * feeds["mask"][:, None]).mean(1)[0]
        self.sizes.append(len(held))
        smooth = np.convolve(held, np.ones(2 * HALO + 1) / (2 * HALO + 1), mode="same")
        return {"audio": np.repeat(smooth, HOP)[None].astype(np.float32)}


def speaker(ids: int | str = "phonemes", frames: int | str = "frames", **facts: Any) -> tuple[Speaker, Any, Any]:
    encoder, decoder = Durations(ids), Smoother(frames)
    return Speaker({"encoder": encoder, "decoder": decoder}, Path(), {**FACTS, **facts}), encoder, decoder


TEXT = "[[ abcdefgh bad, cab fade. head! ]]"


def test_a_text_becomes_a_sound_of_its_durations() -> None:
    made, encoder, _ = speaker()
    answer = made.predict("[[ abc ]]", noise=0)
    assert encoder.calls[0].tolist() == [1, 0, 3, 0, 4, 0, 5, 0, 2]
    frames = [1, 0, 0, 0, 1, 0, 2, 0, 2]  # the remainders, less a little, rounded up
    assert len(answer.score) == sum(frames) * HOP and answer.score.dtype == np.float32
    assert float(np.abs(answer.score).max()) == pytest.approx(0.95)
    assert answer.details["phonemes"] == ["abc"] and answer.units["audio_seconds"] == len(answer.score) / 8000


def test_windows_change_nothing() -> None:
    whole = speaker(window=10_000)[0].predict(TEXT).score
    for size in (2 * HALO + 1, 16):
        made, _, decoder = speaker(window=size)
        np.testing.assert_allclose(made.predict(TEXT).score, whole, atol=1e-6)
        assert max(decoder.sizes) == size
    made, encoder, decoder = speaker(64, 16)
    np.testing.assert_allclose(made.predict(TEXT).score, whole, atol=1e-6)
    assert set(decoder.sizes) == {16} and len(encoder.calls) == 2


def test_the_same_seed_reads_alike_and_another_does_not() -> None:
    made = speaker()[0]
    first, again, other = (made.predict(TEXT, seed=seed).score for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(first) == len(other) and not np.allclose(first, other)


def test_speed_makes_it_shorter() -> None:
    made = speaker()[0]
    slow, fast = (made.predict(TEXT, speed=speed).units["audio_seconds"] for speed in (0.5, 2.0))
    assert slow > 1.5 * fast


def test_a_duration_that_is_rounded_otherwise_changes_no_noise_behind_it() -> None:
    made, encoder, _ = speaker(pause=0.0)
    plain = made.predict("[[ ab fade bead cafe ]]").score
    call = encoder.__call__

    class Longer(Durations):
        def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
            answer = call(feeds)
            answer["durations"][0, 0] += 1
            return answer

    longer = (
        Speaker({"encoder": Longer(), "decoder": Smoother()}, Path(), FACTS).predict("[[ ab fade bead cafe ]]").score
    )
    assert len(longer) == len(plain) + HOP
    tail = 10 * HOP
    scale = float(np.abs(longer[-tail:]).max() / np.abs(plain[-tail:]).max())
    np.testing.assert_allclose(longer[-tail:], scale * plain[-tail:], atol=1e-5)


def test_parity_calls_both_parts_and_neither_decides_the_others_inputs() -> None:
    class Off(Durations):
        def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
            return {name: 1.1 * array for name, array in super().__call__(feeds).items()}

    encoders = Durations(), Off()
    answers = [Speaker({"encoder": part, "decoder": Smoother()}, Path(), FACTS).probe(TEXT) for part in encoders]
    np.testing.assert_array_equal(answers[0].score, answers[1].score)
    assert answers[0].output == answers[1].output and all(len(part.calls) == 1 for part in encoders)
    assert len(answers[0].score) == 2 * HOP * len(encoders[0].calls[0])


def test_a_network_that_is_broken_gives_no_numbers_that_are_none() -> None:
    class Broken(Durations):
        def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
            answer = super().__call__(feeds)
            answer["durations"][:] = np.nan
            answer["means"][:] = np.inf
            return answer

    answer = Speaker({"encoder": Broken(), "decoder": Smoother()}, Path(), FACTS).predict("[[ abc ]]")
    assert len(answer.score) and np.isfinite(answer.score).all()


def test_a_long_text_goes_in_pieces_cut_behind_commas_and_words() -> None:
    made, encoder, _ = speaker()
    answer = made.predict("[[ " + "abc, dad fad " * 800 + ". ]]")
    assert all(len(call) <= 64 for call in encoder.calls) and answer.units["audio_seconds"] > 4
    comma, space = TABLE[","][0], TABLE[" "][0]
    assert {tuple(call[-3:].tolist()) for call in encoder.calls[:-1]} == {(space, 0, 2)}
    assert sum(call[-5] == comma for call in encoder.calls) > len(encoder.calls) // 2


def test_a_file_holds_the_sound(tmp_path: Path) -> None:
    made = speaker()[0]
    answer = made.predict(TEXT, out=tmp_path / "new" / "a.wav")
    held, rate = soundfile.read(tmp_path / "new" / "a.wav", dtype="float32")
    assert rate == 8000
    np.testing.assert_allclose(held, answer.score, atol=1e-4)
    with pytest.raises(BadInput, match=r"\.wav"):
        made.predict(TEXT, out=tmp_path / "a.mp3")
    (tmp_path / "text.txt").write_text(TEXT + "\n", encoding="utf-8")
    np.testing.assert_array_equal(made.predict(str(tmp_path / "text.txt")).score, answer.score)


def test_phonemes_that_the_voice_does_not_know_are_told() -> None:
    made = speaker()[0]
    assert (
        "zz" not in made.predict("[[ abz ]]").details["notes"][0]
        and "z" in made.predict("[[ abz ]]").details["notes"][0]
    )
    with pytest.raises(BadInput, match="knows no phoneme"):
        made.predict("[[ xyz ]]")


@pytest.mark.parametrize(
    "options",
    [{"speed": 0}, {"speed": "fast"}, {"noise": -1}, {"rhythm": 3}, {"seed": 1.5}, {"seed": True}, {"tone": 1}],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        speaker()[0].predict(TEXT, **options)


@pytest.mark.parametrize("sample", ["", "  \n", 7, None, b"abc"], ids=str)
def test_what_is_no_text_is_refused(sample: Any) -> None:
    with pytest.raises(BadInput):
        speaker()[0].predict(sample)


@pytest.mark.parametrize("table", [{}, {"_": [0], "^": [1]}, {"_": 0, "^": [1], "$": [2]}, {"_": ["0"]}], ids=str)
def test_a_table_that_is_not_pipers_is_refused(table: Any) -> None:
    with pytest.raises(BadInput, match="table of phonemes"):
        Alphabet(table)


def test_a_manner_is_checked() -> None:
    assert Manner(speed=2).speed == 2
    with pytest.raises(BadInput, match="rhythm"):
        Manner(rhythm=float("nan"))
