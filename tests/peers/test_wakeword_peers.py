"""Wake words beside the packages that their networks come from: the same decisions on the same sound.

pip install pymicro-wakeword (its wheel holds a TensorFlow Lite of its own). Positives are spoken by espeak-ng.
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

NAMES = ("okay-nabu", "hey-jarvis", "alexa", "hey-mycroft")
SAID = {"okay-nabu": "okay nah boo", "hey-jarvis": "hey jarvis", "alexa": "alexa", "hey-mycroft": "hey my croft"}


def packaged(name: str) -> tuple[Any, Any]:
    package = pytest.importorskip("pymicro_wakeword")
    return package.MicroWakeWord.from_builtin(package.Model(name.replace("-", "_"))), package.MicroWakeWordFeatures


def means(detector: Any, features: Any, sound: NDArray[np.int16]) -> list[float]:
    """What the package's detector compares with its cutoff, call by call."""
    detector.reset()
    out = []
    for number, feature in enumerate(features().process_streaming(sound.tobytes()), 1):
        value = detector.process_streaming_prob(feature)
        if number % detector.stride == 0:
            out.append(value)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_decisions_are_those_of_the_package(name: str, tmp_path: Path, shared_data: Path) -> None:
    detector, features = packaged(name)
    spotter = edgekit.load(edgekit.export(name, "laptop", out=tmp_path / "bundle").path)
    positives = [spoken(SAID[name], voice, speed, tmp_path) for voice in VOICES for speed in SPEEDS]
    clips = sorted(shared_data.glob("librispeech-*/**/*.flac"))
    sounds = [*positives, *(soundfile.read(file, dtype="int16")[0] for file in clips)]
    heard, differences = [], []
    for sound in sounds:
        theirs = means(detector, features, sound)
        score = spotter.predict(sound.astype(np.float32) / 32768).score
        ours = np.concatenate([np.zeros(score.mean.smoothed - 1), score.totals()[:, 0] / (score.mean.smoothed * 256)])
        count = min(len(ours), len(theirs))
        differences.append(float(np.abs(ours[:count] - theirs[:count]).max()))
        heard.append((bool((ours > detector.probability_cutoff).any()), max(theirs) > detector.probability_cutoff))
    found, false = sum(ours for ours, _ in heard[: len(positives)]), sum(ours for ours, _ in heard[len(positives) :])
    print(
        f"{name}: heard {found} of {len(positives)}, {false} events in {len(clips)} clips of read speech, means differ"
    )
    print(f"by {max(differences):.4f} at most, in the median clip by {np.median(differences):.5f}")
    assert [ours for ours, _ in heard] == [theirs for _, theirs in heard]
    assert found  # how many is the business of the network, which never heard a synthetic voice
