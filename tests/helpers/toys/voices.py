"""Phrases spoken by espeak-ng, for tests of wake words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

VOICES = ("en-us", "en-gb", "en-us+f3", "en-us+m3", "en-gb+f2", "en-gb+m7")
SPEEDS = (130, 160, 190)


def spoken(text: str, voice: str, speed: int, folder: Path, pitch: int = 50) -> NDArray[np.int16]:
    """`text` by espeak-ng (`pitch`: 0 to 99), 16 kHz, with a second of silence before and after."""
    tool = shutil.which("espeak-ng")
    if tool is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    file = folder / "said.wav"
    settings = ["-v", voice, "-s", str(speed), "-p", str(pitch)]
    subprocess.run([tool, *settings, "-w", str(file), text], check=True, timeout=60)
    samples, rate = soundfile.read(file, dtype="float32")
    samples = soxr.resample(samples, rate, 16_000)
    padded = np.concatenate([np.zeros(16_000), samples / np.abs(samples).max() * 0.5, np.zeros(16_000)])
    return np.round(padded * 32767).astype(np.int16)
