"""The distance of two readings: none to itself, small where time is stretched, large to other sounds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Prediction
from edgekit.registry import find
from edgekit.tasks.text_to_speech import BANDS, distance, encode_spectra, spectra

RATE = 22_050


def sweep(seconds: float, seed: int = 0, noise: float = 0.0) -> NDArray[np.float32]:
    """Tones that rise, with harmonics."""
    time = np.linspace(0, 1, round(seconds * RATE))
    phase = 2 * np.pi * np.cumsum(150 + 500 * time) / RATE
    tones = sum(np.sin(k * phase) / k for k in range(1, 8))
    hiss = noise * np.random.default_rng(seed).standard_normal(len(time))
    return (0.2 * tones + hiss).astype(np.float32)


def test_levels_are_of_bands_in_decibels() -> None:
    time = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    levels, loud = spectra(tone, RATE), spectra(10 * tone, RATE)
    assert levels.shape[1] == BANDS and 84 <= len(levels) <= 88
    np.testing.assert_allclose(levels, loud, atol=1e-3)
    assert levels.max() == 80.0 and {int(row.argmax()) for row in levels[5:-5]} == {6}


def test_the_same_sound_has_no_distance_and_time_is_aligned() -> None:
    sound = encode_spectra(sweep(1.0), RATE)
    assert distance(sound, sound) == 0.0
    stretched, other = encode_spectra(sweep(1.1), RATE), encode_spectra(sweep(1.0)[::-1].copy(), RATE)
    assert distance(sound, stretched) < 2.0 < distance(sound, other)
    quiet, loud = (distance(sound, encode_spectra(sweep(1.0, noise=level), RATE)) for level in (1e-3, 1e-1))
    assert quiet < loud


def test_silence_and_a_single_sample_are_compared() -> None:
    silence = encode_spectra(np.zeros(1, np.float32), RATE)
    assert distance(silence, encode_spectra(sweep(0.1), RATE)) >= 0.0


@pytest.mark.parametrize(("noise", "same"), [(0.0, True), (0.05, False)])
def test_the_task_judges_by_it(noise: float, same: bool) -> None:
    agreement = find("tasks", "text-to-speech").agreement
    answers = [
        agreement.answer(Prediction("", {"sample_rate": RATE}, score=sweep(0.5, noise=level))) for level in (0.0, noise)
    ]
    assert agreement.same(answers[:1], answers[1:]) == [same]
    figures = agreement.figures(answers[:1], answers[1:])
    assert (figures["largest, dB"] < 1.5) == same
