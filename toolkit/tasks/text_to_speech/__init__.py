"""Text to speech: from a text to a voice that reads it.

Two readings of a text are compared by the distance of their spectra along the best alignment in time. The usual measure
of synthesis (mel cepstral distortion, Kubichek 1993), on bands in place of cepstra; aligned by dynamic time warping
(Sakoe and Chiba 1978), since a rounded duration moves all that follows.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Task
from edgekit.tasks.common.agreement import of_distances
from edgekit.tasks.common.texts import lines
from edgekit.tasks.evidence.spoken import SPOKEN
from edgekit.tasks.text_to_speech.speaker import Speaker

#: Seconds of a frame and between frames: the step is that of a vocoder's frames (256 samples at 22,050 Hz), so that a
#: duration which is rounded otherwise moves whole steps. Bands, which end at this frequency in Hz.
_FRAME, _STEP, BANDS, _HIGHEST = 0.046, 256 / 22_050, 20, 8000.0
#: Quietest level that counts, in dB below the loudest band; steps of a dB in a stored answer.
_FLOOR, _STEPS = 80.0, 2


def spectra(sound: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Levels of mel bands in dB, from 0 (80 dB below the loudest) up: float64 [frames, 20].

    Args:
        sound: float32 [samples].
    """
    size, step = round(_FRAME * rate), round(_STEP * rate)
    padded = np.pad(sound.astype(np.float64), (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(sound) + 1 : step]
    power = np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2
    levels = 10.0 * np.log10(power @ _bands(power.shape[1], rate / size) + 1e-20)
    above: NDArray[np.float64] = np.maximum(levels - levels.max() + _FLOOR, 0.0)
    return above


def _bands(bins: int, width: float) -> NDArray[np.float64]:
    """Triangles on the mel scale of O'Shaughnessy 1987: [bins, 20]. `width` of a bin in Hz."""
    highest = 2595.0 * np.log10(1.0 + _HIGHEST / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, highest, BANDS + 2) / 2595.0) - 1.0)
    hertz = np.arange(bins)[:, None] * width
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    triangles: NDArray[np.float64] = np.maximum(np.minimum(rising, falling), 0.0)
    return triangles


def encode_spectra(sound: NDArray[np.float32], rate: int) -> str:
    """`spectra` in half decibels, a byte a band, as base64."""
    levels = np.round(spectra(sound, rate) * _STEPS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode("ascii")


def distance(one: str, other: str) -> float:
    """Mean distance of two answers of `encode_spectra` along their best alignment, in dB: RMS over bands."""
    a, b = (_decode_spectra(answer) for answer in (one, other))
    cost = np.sqrt(np.mean((a[:, None] - b[None]) ** 2, axis=2))
    return _alignment_cost(cost.tolist())


def _decode_spectra(answer: str) -> NDArray[np.float64]:
    values = np.frombuffer(base64.b64decode(answer), np.uint8).astype(np.float64) / _STEPS
    return values.reshape(-1, BANDS)


def _alignment_cost(cost: list[list[float]]) -> float:
    """Least mean of a path from the first pair of frames to the last; each step moves on in either or both."""
    nowhere = float("inf"), 1
    above = [nowhere] * len(cost[0])
    for i, row in enumerate(cost):
        here: list[tuple[float, int]] = []
        for j, far in enumerate(row):
            reached = min(above[j], here[j - 1] if j else nowhere, above[j - 1] if j else nowhere)
            total, steps = (0.0, 0) if i == j == 0 else reached
            here.append((total + far, steps + 1))
        above = here
    total, steps = above[-1]
    return total / steps


#: Largest distance of a sentence's spectra from fp32's, in dB. For scale: another seed of piper-joe is 2.2 to 2.5 dB
#: away, another sentence 11 to 13.
_NEAR = 1.5


def _distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    return [distance(answer, wanted) for answer, wanted in zip(answers, reference, strict=True)]


TASK = Task(
    "text-to-speech",
    "text",
    "answers",
    lambda folder, labels: lines(folder),
    Speaker,
    golden="data/golden/spoken.txt",
    evidence=SPOKEN,
    agreement=of_distances(
        f"spectra within {_NEAR:g} dB of fp32's, aligned in time",
        lambda prediction: encode_spectra(prediction.score, prediction.details["sample_rate"]),
        _distances,
        _NEAR,
        ("mean distance of spectra, dB", "largest, dB"),
    ),
)
