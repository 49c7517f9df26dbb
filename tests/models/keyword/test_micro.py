"""The micro frontend against what the original computes, and its tables against their definitions."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit import models
from edgekit.models.keyword.frontends.micro import MicroFrontend, tables
from edgekit.models.keyword.shapes import MicroSettings

FRONTEND = MicroFrontend()
JFK = Path(models.__file__).parent / "data" / "golden" / "jfk.flac"


def jfk() -> NDArray[np.int16]:
    samples, _ = soundfile.read(JFK, dtype="int16")
    return np.asarray(samples)


def rough() -> NDArray[np.int16]:
    """Noise whose loudness jumps four times a second, from one bit to nearly full scale."""
    rng = np.random.default_rng(5)
    loud = np.exp2(rng.integers(0, 15, 16)).repeat(4000)
    return np.round(rng.uniform(-1, 1, 64_000) * loud).astype(np.int16)


def square() -> NDArray[np.int16]:
    return np.where(np.arange(16_000) // 40 % 2, 32767, -32768).astype(np.int16)


def lowest() -> NDArray[np.int16]:
    return np.full(8000, -32768, np.int16)


#: CRC-32 of the features (uint16 [frames, 40]) that pymicro-features 2.0.2, which wraps the original C, gives; times
#: 25.6, because it gives them as they go into the network.
ORIGINAL = {jfk: (1098, 3474151969), rough: (398, 529601688), square: (98, 2519232580), lowest: (48, 3026589750)}


@pytest.mark.parametrize("sound", ORIGINAL, ids=lambda sound: sound.__name__)
def test_it_is_the_original_bit_for_bit(sound: object) -> None:
    frames, crc = ORIGINAL[sound]  # type: ignore[index]
    raw = FRONTEND.raw(sound())  # type: ignore[operator]
    assert raw.shape == (frames, 40)
    assert raw.min() >= 0 and raw.max() < 700
    assert zlib.crc32(raw.astype(np.uint16).tobytes()) == crc


@pytest.mark.peers
def test_it_is_the_original_on_every_clip(shared_data: Path) -> None:
    original = pytest.importorskip("pymicro_features")
    for file in sorted((shared_data / "librispeech-test-other").rglob("*.flac")):
        samples, _ = soundfile.read(file, dtype="int16")
        other, at, rows = original.MicroFrontend(), 0, []
        while at + 160 <= len(samples):
            result = other.process_samples(samples[at : at + 160].tobytes())
            at += result.samples_read
            rows += [result.features] if result.features else []
        assert (FRONTEND.raw(samples)[: len(rows)] == np.round(np.array(rows) * 25.6)).all(), file


def test_frames_do_not_depend_on_what_follows() -> None:
    audio = jfk()[:20_000]
    whole = FRONTEND({"audio": audio})["features"]
    part = FRONTEND({"audio": audio[:9000]})["features"]
    assert part.dtype == np.int8
    assert (whole[: len(part)] == part).all()


def test_blocks_of_frames_join_without_a_seam() -> None:
    # 256 frames are transformed at once; the noise estimate runs through all.
    audio = np.tile(rough(), 2)
    assert (FRONTEND.raw(audio)[:300] == FRONTEND.raw(audio[: 480 + 299 * 160])).all()


def test_silence_and_less_than_a_window() -> None:
    assert (FRONTEND({"audio": np.zeros(640, np.int16)})["features"] == -128).all()
    assert FRONTEND({"audio": np.zeros(479, np.int16)})["features"].shape == (0, 40)


def test_every_value_is_quantized_as_the_network_was_told() -> None:
    settings = MicroSettings()
    values = np.arange(65536)
    wanted = np.clip(np.round(values * 0.0390625 / settings.scale + settings.zero_point), -128, 127)
    assert (FRONTEND.quantize_features(values) == wanted).all()


def test_tables_fit_their_types_and_share_bins_fully() -> None:
    table = tables(MicroSettings())
    assert table["window"].max() == 4096
    assert (table["first_bin"], len(table["weights"])) == (5, 236)
    assert table["widths"].sum() == 236
    assert (table["weights"] + table["rest"] == 4096).all()
    assert (np.diff(table["gains"][2:122:4]) <= 0).all()  # more noise, less gain
