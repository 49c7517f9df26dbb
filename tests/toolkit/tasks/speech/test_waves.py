"""Sound from a pipe."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.tasks.common.frames import frame_length
from edgekit.tasks.common.waves import Pipe

TONE = (0.5 * np.sin(np.arange(5000) * 0.05)).astype(np.float32)


class Dribble(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 37) if size > 0 else 37)


def piped(data: bytes) -> Pipe:
    return Pipe(cast(BinaryIO, Dribble(data)))


def heard(pipe: Pipe) -> NDArray[Any]:
    return np.concatenate(list(pipe.chunks(0.01)))


@pytest.mark.parametrize(
    ("subtype", "dtype"), [("PCM_16", "<i2"), ("PCM_U8", "u1"), ("PCM_32", "<i4"), ("FLOAT", "<f4")]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_as_a_recorder_writes_it(subtype: str, dtype: str, channels: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.stack([TONE] * channels, 1), 48_000, format="WAV", subtype=subtype)
    data = bytearray(file.getvalue())
    data[4:8] = b"\xff" * 4  # a recorder does not know the length
    pipe = piped(bytes(data))
    assert (pipe.rate, pipe.channels) == (48_000, channels)
    samples = heard(pipe)
    assert samples.dtype == np.dtype(dtype) and samples.shape == (5000, channels)
    file.seek(0)
    scale = {"u1": 128.0, "<i2": 2.0**15, "<i4": 2.0**31, "<f4": 1.0}[dtype]
    again = (samples.astype(np.float64) - (128 if dtype == "u1" else 0)) / scale
    np.testing.assert_allclose(again, soundfile.read(file, always_2d=True)[0], atol=1e-6)


def test_without_a_header_and_cut_in_the_middle_of_a_sample() -> None:
    whole = (TONE * 32767).astype("<i2")
    pipe = piped(whole.tobytes()[:-1])
    assert pipe.rate == 16_000
    np.testing.assert_array_equal(heard(pipe)[:, 0], whole[:-1])
    assert list(piped(b"").chunks(0.1)) == []


def test_other_wavs_are_refused() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as three:
        three.setparams((1, 3, 16_000, 0, "NONE", ""))
        three.writeframes(b"\0" * 30)
    with pytest.raises(BadInput, match="24 bits"):
        piped(file.getvalue())
    with pytest.raises(BadInput, match="breaks off"):
        piped(file.getvalue()[:20])
    with pytest.raises(BadInput, match="bytes before its samples"):
        piped(b"RIFF\0\0\0\0WAVEjunk" + struct.pack("<I", 1 << 30))
    with pytest.raises(BadInput, match="does not say"):
        piped(b"RIFF\0\0\0\0WAVEdata" + struct.pack("<I", 4) + b"1234")


@pytest.mark.parametrize(("begin", "kind"), [(b"fLaC\0\0\0\x22", "FLAC"), (b"OggS\0\2", "Ogg"), (b"ID3\4", "MP3")])
def test_packed_sound_is_no_noise(begin: bytes, kind: str) -> None:
    with pytest.raises(BadInput, match=f"standard input is {kind}"):
        Pipe(io.BytesIO(begin + bytes(100)))


@pytest.mark.parametrize("rate", [16_000, 44_100, 8_000])
def test_mp3_without_a_tag_is_refused(rate: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.tile(TONE, 4), rate, format="MP3")
    assert file.getvalue()[0] == 0xFF
    with pytest.raises(BadInput, match="standard input is MP3"):
        piped(file.getvalue())


@pytest.mark.parametrize("length", [2, 3, 5000])
def test_samples_that_begin_as_mp3_does_are_samples(length: int) -> None:
    whole = np.concatenate([np.frombuffer(b"\xff\xf3\x88\xc4", "<i2"), (TONE * 32767).astype("<i2")])[:length]
    np.testing.assert_array_equal(heard(piped(whole.tobytes()))[:, 0], whole)


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ("fffb9064", 417),  # MPEG-1, layer 3, 128 kbit/s at 44.1 kHz
        ("fffb9264", 418),  # the same, with padding
        ("fff388c4", 288),  # MPEG-2, layer 3, 64 kbit/s at 16 kHz
        ("fffd9064", 522),  # MPEG-1, layer 2, 160 kbit/s at 44.1 kHz
        ("ffff9064", 312),  # MPEG-1, layer 1, 288 kbit/s at 44.1 kHz
        ("ffeb9064", 0),  # a reserved version
        ("fff99064", 0),  # a reserved layer
        ("fffbf064", 0),  # a reserved bit rate
        ("fffb9c64", 0),  # a reserved rate
        ("fedb9064", 0),
        ("fffb90", 0),
    ],
)
def test_the_length_of_a_frame(header: str, length: int) -> None:
    assert frame_length(bytes.fromhex(header)) == length
