"""openWakeWord beside the package that its networks come from: the same decisions on the same sound.

pip install pyopen-wakeword (its wheel holds a TensorFlow Lite of its own). Positives are spoken by espeak-ng.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.toys.voices import SPEEDS, VOICES, spoken
from numpy.typing import NDArray

import edgekit

pytestmark = pytest.mark.peers

NAME = "openwakeword-hey-jarvis"


def packaged() -> tuple[Any, Any]:
    package = pytest.importorskip("pyopen_wakeword")
    return package.OpenWakeWord.from_builtin(package.Model.HEY_JARVIS), package.OpenWakeWordFeatures.from_builtin()


def scores(detector: Any, features: Any, sound: NDArray[np.int16]) -> list[float]:
    """What the package compares with its threshold, from 10 ms of sound after another."""
    detector.reset()
    features.reset()
    pieces = (sound[at : at + 160].tobytes() for at in range(0, len(sound), 160))
    embeddings = (one for piece in pieces for one in features.process_streaming(piece))
    return [score for one in embeddings for score in detector.process_streaming(one)]


@pytest.mark.parametrize(
    ("runtime", "precision", "most"),
    [("onnxruntime", "fp32", 0.005), ("onnxruntime", "int8", 1.0), ("litert", "int8", 1.0)],
)
def test_decisions_are_those_of_the_package(
    runtime: str, precision: str, most: float, tmp_path: Path, shared_data: Path
) -> None:
    detector, features = packaged()
    made = edgekit.export(NAME, "laptop", runtime=runtime, precision=precision, out=tmp_path / "bundle")
    spotter = edgekit.load(made.path)
    positives = [spoken("hey jarvis", voice, speed, tmp_path) for voice in VOICES for speed in SPEEDS]
    clips = sorted(shared_data.glob("librispeech-*/**/*.flac"))
    sounds = [*positives, *(soundfile.read(file, dtype="int16")[0] for file in clips)]
    heard, differences = [], []
    for sound in sounds:
        theirs = scores(detector, features, sound)
        ours = spotter.predict(sound.astype(np.float32) / 32768).score.scores[:, 0] / 256
        differences.append(float(np.abs(ours - theirs[-len(ours) :]).max()))  # theirs begin with 8 s of silence
        heard.append((bool((ours >= 0.5).any()), max(theirs) > 0.5))
    found, false = sum(ours for ours, _ in heard[: len(positives)]), sum(ours for ours, _ in heard[len(positives) :])
    print(f"{runtime} {precision}: heard {found} of {len(positives)}, {false} events in {len(clips)} clips; scores")
    print(f"differ by {max(differences):.4f} at most, in the median clip by {np.median(differences):.5f}")
    assert [ours for ours, _ in heard] == [theirs for _, theirs in heard]
    assert found and max(differences) <= most
