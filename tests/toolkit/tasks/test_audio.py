"""The audio reader: every kind of file and array, and every way in which one can be bad."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.tasks.common.audio import Audio, open_audio

RATE = 16_000


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def whole(audio: Audio) -> NDArray[np.float32]:
    return audio.window(0, 10**9)


def write(path: Path, samples: NDArray[Any], rate: int = RATE, **options: Any) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype", "error"),
    [
        ("wav", "PCM_U8", 1 / 127),
        ("wav", "PCM_16", 1 / 32767),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-6),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("wav", "ULAW", 0.03),
        ("flac", "PCM_16", 1 / 32767),
        ("flac", "PCM_24", 1e-6),
        ("aiff", "PCM_16", 1 / 32767),
        ("ogg", "VORBIS", 0.05),
        ("mp3", "MPEG_LAYER_III", 1.0),
    ],
)
def test_formats(tmp_path: Path, suffix: str, subtype: str, error: float) -> None:
    audio = open_audio(write(tmp_path / f"a.{suffix}", tone(1.5), subtype=subtype), RATE)
    samples = whole(audio)
    assert samples.dtype == np.float32
    assert samples.shape == (24_000,)
    assert audio.seconds == 1.5
    np.testing.assert_allclose(samples, tone(1.5), atol=error)
    assert any("8-bit" in note for note in audio.notes) == (subtype == "PCM_U8")
    assert not any("resampled" in note or "downmixed" in note for note in audio.notes)


def test_a_path_as_text(tmp_path: Path) -> None:
    assert len(whole(open_audio(str(write(tmp_path / "a.wav", tone(0.2))), RATE))) == 3200


def test_stereo_at_44100(tmp_path: Path) -> None:
    left, right = tone(2.0, 44_100), np.zeros(88_200, np.float32)
    audio = open_audio(write(tmp_path / "a.wav", np.stack([left, right], 1), 44_100, subtype="FLOAT"), RATE)
    samples = whole(audio)
    assert audio.rate == RATE
    assert audio.notes == ["downmixed from 2 channels", "resampled from 44100 Hz to 16000 Hz"]
    assert abs(len(samples) - 32_000) <= 1
    np.testing.assert_allclose(samples[500:-500], tone(2.0)[500 : len(samples) - 500] / 2, atol=2e-3)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("seconds", [0.15, 9.99, 25.0])
def test_resampling_keeps_length_and_time(rate: int, seconds: float) -> None:
    samples = whole(open_audio((tone(seconds, rate), rate), RATE))
    assert abs(len(samples) - seconds * RATE) <= 1
    middle = slice(400, len(samples) - 400)
    np.testing.assert_allclose(samples[middle], tone(seconds)[: len(samples)][middle], atol=5e-3)


def test_what_lies_above_the_new_rate_is_filtered_out() -> None:
    samples = whole(open_audio((tone(2.0, 48_000, hertz=15_000), 48_000), RATE))
    assert np.abs(samples[1000:-1000]).max() < 1e-3


@pytest.mark.parametrize(
    "array",
    [
        tone(0.5),
        tone(0.5).astype(np.float64),
        tone(0.5).astype(np.float16),
        tone(0.5)[:, None],
        np.stack([tone(0.5)] * 3, 1),
        np.repeat(tone(0.5), 2)[::2],
    ],
)
def test_arrays(array: NDArray[Any]) -> None:
    samples = whole(open_audio(array, RATE))
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    np.testing.assert_allclose(samples, tone(0.5), atol=1e-3)


def test_an_array_is_not_changed() -> None:
    array = tone(0.5)
    before = array.copy()
    open_audio(array, RATE).window(0, 100)[:] = 9
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    "array", [np.zeros(100, np.int16), [0.1, 0.2], np.zeros((2, 3, 4), np.float32), None, b"RIFF", 7]
)
def test_arrays_of_another_kind(array: Any) -> None:
    with pytest.raises(BadInput, match="expected audio as a path or a float array"):
        open_audio(array, RATE)


@pytest.mark.parametrize("array", [np.zeros(0, np.float32), np.zeros((0, 2), np.float32), np.zeros((5, 0))])
def test_empty_arrays(array: NDArray[Any]) -> None:
    with pytest.raises(BadInput, match="no samples"):
        open_audio(array, RATE)


@pytest.mark.parametrize("rate", [0, -8000, 0.5, float("nan"), float("inf"), "16000", None, 10**12])
def test_bad_rates(rate: Any) -> None:
    with pytest.raises(BadInput, match=r"rate|resampled"):
        whole(open_audio((tone(0.5), rate), RATE))


def test_a_rate_of_another_number_type() -> None:
    for rate in (16_000.0, np.int64(16_000), np.float32(16_000)):
        assert len(whole(open_audio((tone(0.5), rate), RATE))) == 8000


def test_a_tuple_of_another_length() -> None:
    with pytest.raises(BadInput, match="expected audio"):
        open_audio((tone(0.5),), RATE)
    with pytest.raises(BadInput, match="expected audio"):
        open_audio((tone(0.5), RATE, 1), RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_values_that_are_not_numbers(tmp_path: Path, value: float, rate: int) -> None:
    samples = tone(0.5, rate)
    samples[1234] = value
    file = write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    for source in (file, (samples, rate)):
        with pytest.raises(BadInput, match="not numbers"):
            whole(open_audio(source, RATE))


def test_one_sample(tmp_path: Path) -> None:
    assert len(whole(open_audio(write(tmp_path / "a.wav", tone(1)[:1]), RATE))) == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text.wav", b"this is not audio" * 100),
        ("empty.wav", b""),
        ("zeros.flac", bytes(5000)),
        ("sound.txt", b"RIFF"),
        ("headerless.raw", bytes(32_000)),
        ("picture.mp3", b"\x89PNG\r\n\x1a\n" + bytes(400)),
        ("noext", b"\0\1\2"),
    ],
)
def test_not_audio(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=name) as caught:
        open_audio(tmp_path / name, RATE)
    assert str(tmp_path) not in caught.value.message
    assert "\n" not in caught.value.message


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no file .*gone\.wav"):
        open_audio(tmp_path / "gone.wav", RATE)
    with pytest.raises(BadInput, match="is a folder"):
        open_audio(tmp_path, RATE)
    with pytest.raises(BadInput, match="is a folder"):
        open_audio("", RATE)


def test_a_header_without_samples(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no samples"):
        open_audio(write(tmp_path / "a.wav", tone(0)), RATE)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_flac_that_breaks_off(tmp_path: Path, share: float) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * RATE)
    data = write(tmp_path / "a.flac", noise).read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: int(share * len(data))])
    with pytest.raises(BadInput, match=r"a\.flac breaks off or is damaged"):
        whole(open_audio(tmp_path / "a.flac", RATE))


@pytest.mark.parametrize("claimed", [2**32 - 1, 10**9, 2 * RATE, 100])
def test_a_wav_whose_header_lies_about_its_length(tmp_path: Path, claimed: int) -> None:
    """Recorders that stream, and downloads that broke off: what is there is read, and nothing is made up."""
    data = bytearray(write(tmp_path / "a.wav", tone(0.5), subtype="PCM_16").read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", claimed)
    (tmp_path / "a.wav").write_bytes(data)
    audio = open_audio(tmp_path / "a.wav", RATE)
    samples = whole(audio)
    assert len(samples) == min(8000, claimed // 2)
    np.testing.assert_allclose(samples, tone(0.5)[: len(samples)], atol=1e-4)
    assert audio.seconds <= 0.5


@settings(max_examples=100, deadline=None)
@given(
    length=st.integers(1, 60_000),
    moves=st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 40_000)), min_size=1, max_size=6),
    rate=st.sampled_from([1000, 16_000]),
)
def test_windows_are_slices(length: int, moves: list[tuple[int, int]], rate: int) -> None:
    """Windows that overlap, touch, or leave a gap are slices of the whole, whatever the blocks underneath."""
    array = np.arange(length, dtype=np.float32)
    audio, at = open_audio(array, rate), 0
    for step, samples in moves:
        at += step
        np.testing.assert_array_equal(audio.window(at, samples), array[at : at + samples])


def test_windows_of_a_file_are_slices_of_it(tmp_path: Path) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal((44_100 * 33, 2))
    file = write(tmp_path / "a.wav", samples, 44_100, subtype="FLOAT")
    everything, audio = whole(open_audio(file, RATE)), open_audio(file, RATE)
    for at in (0, 0, 7 * RATE, 8 * RATE - 1, 31 * RATE, 32 * RATE + 5, 40 * RATE):
        np.testing.assert_array_equal(audio.window(at, 5 * RATE), everything[at : at + 5 * RATE])


def test_windows_never_go_back() -> None:
    audio = open_audio(tone(3.0), RATE)
    audio.window(RATE, 100)
    with pytest.raises(AssertionError):
        audio.window(RATE - 1, 100)


def test_half_an_hour_is_read_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    noise = np.zeros(48_000 * 60, np.int16)
    with soundfile.SoundFile(file, "w", 48_000, 1, "PCM_16") as out:
        for _ in range(30):
            out.write(noise)
    audio = open_audio(file, RATE)
    tracemalloc.start()
    try:
        at, longest = 0, 0
        while len(window := audio.window(at, 30 * RATE)):
            longest, at = max(longest, len(window)), at + 30 * RATE
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (audio.seconds, longest) == (1800, 30 * RATE)
    assert 1799.9 < at / RATE < 1831
    assert peak < 16_000_000
