"""MFCC against a second implementation by the definition, and the loudness rule against a division beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit import models
from edgekit.models.keyword.frontends.mfcc import Mfcc, level_shift, levels, mel_filters, normalize_level, tables
from edgekit.models.keyword.shapes import MfccSettings

SETTINGS = MfccSettings()
MFCC = Mfcc()
JFK = Path(models.__file__).parent / "data" / "golden" / "jfk.flac"


def seconds(path: Path) -> Iterator[NDArray[np.int16]]:
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == SETTINGS.rate
    for start in range(0, len(samples) - rate + 1, rate):
        yield samples[start : start + rate]


def plain(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """The definition, spelt out: a DFT by its sum, filters one by one, a DCT by its sum."""
    n, k = np.arange(480), np.arange(257)
    window = np.sin(math.pi * n / 480) ** 2
    turns = np.exp(-2j * math.pi * np.outer(n, k) / 512)
    mel = [1127 * math.log1p(hertz / 700) for hertz in (20.0, 4000.0)]
    edges = [mel[0] + (mel[1] - mel[0]) * i / 41 for i in range(42)]
    out = []
    for start in range(0, len(audio) - 479, 320):
        magnitudes = np.abs((audio[start : start + 480] * window) @ turns)
        logs = []
        for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for bin_ in range(1, 257):
                at = 1127 * math.log1p(bin_ * 31.25 / 700)
                total += magnitudes[bin_] * max(0.0, min((at - low) / (centre - low), (high - at) / (high - centre)))
            logs.append(math.log(total + 1e-6))
        row = [sum(v * math.cos(math.pi / 40 * (m + 0.5) * c) for m, v in enumerate(logs)) for c in range(10)]
        out.append([value * 2 / math.sqrt(80) for value in row])
    return np.array(out)


def test_it_is_what_the_definition_says() -> None:
    audio = next(seconds(JFK))[:4000].astype(np.float64) / 32768
    np.testing.assert_allclose(MFCC.coefficients(audio), plain(audio), atol=1e-9)


def test_a_second_has_49_frames_and_less_than_a_window_none() -> None:
    assert MFCC({"audio": np.zeros(16_000, np.int16)})["features"].shape == (49, 10)
    assert MFCC({"audio": np.zeros(479, np.int16)})["features"].shape == (0, 10)


def test_silence_is_the_lowest_level_and_nothing_else() -> None:
    # 40 mels of ln(1e-6): the sum, and zeros. The benchmark's own silent frames are the same but for its rounding.
    features = MFCC({"audio": np.zeros(480, np.int16)})["features"]
    assert features.tolist() == [[-128, *[83] * 9]]


def test_a_louder_sound_moves_the_first_coefficient_only() -> None:
    audio = next(seconds(JFK)).astype(np.float64) / 32768
    difference = MFCC.coefficients(audio * 4) - MFCC.coefficients(audio)
    np.testing.assert_allclose(difference[5:, 0], math.sqrt(80) * math.log(4), atol=0.05)  # it begins with silence
    np.testing.assert_allclose(difference[5:, 1:], 0, atol=0.05)


def test_the_level_counts_as_a_division_by_the_peak() -> None:
    for second in seconds(JFK):
        peak = int(second.max())
        divided = MFCC.quantize_features(MFCC.coefficients(second.astype(np.float64) / peak))
        moved = normalize_level(MFCC({"audio": second})["features"], peak, SETTINGS)
        assert np.abs(moved.astype(int) - divided).max() <= 1
        assert (moved != divided).mean() < 0.05


def test_digital_silence_keeps_its_level() -> None:
    features = MFCC({"audio": np.zeros(960, np.int16)})["features"]
    assert (normalize_level(features, 100, SETTINGS) == features).all()


def test_the_table_of_levels_gives_the_shift_of_every_peak() -> None:
    table = levels(SETTINGS)
    for peak in (1, 2, 3, 10, 99, 1000, 12_345, 31_714, 31_715, 32_766, 32_767):
        assert int((peak < table).sum()) == level_shift(peak, SETTINGS)


def test_slopes_are_the_filters() -> None:
    table = tables(SETTINGS)
    rebuilt = np.zeros((257, SETTINGS.mels + 2))
    bins = np.arange(len(table["rising"])) + table["first_bin"]
    stretch = np.repeat(np.arange(SETTINGS.mels + 1), table["widths"])
    rebuilt[bins, stretch + 1] = table["rising"] / 2**15
    rebuilt[bins, stretch] = 1 - table["rising"] / 2**15
    np.testing.assert_allclose(rebuilt[:, 1:-1], mel_filters(SETTINGS), atol=2**-15)


@pytest.mark.real
def test_the_official_features_look_like_ours_divided_by_the_peak(shared_data: Path, other_speech: list[Path]) -> None:
    """What tells the benchmark's scaling: the loudest frame of a clip. Without the division it is 18 steps lower."""
    official = [
        np.fromfile(file, np.int8).reshape(49, 10)[:, 0].max()
        for file in sorted((shared_data / "mlperf-tiny-kws" / "features").glob("*.bin"))
    ]
    plain, divided = [], []
    for second in (second for file in other_speech for second in seconds(file)):
        features = MFCC({"audio": second})["features"]
        plain.append(int(features[:, 0].max()))
        divided.append(int(normalize_level(features, int(second.max()), SETTINGS)[:, 0].max()))
    assert abs(np.median(divided) - np.median(official)) <= 5
    assert np.median(plain) < np.median(official) - 10
